"""Libraries that not everybody needs, imported where they are used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType, ModuleType

from ..errors import SteeringError

PACKAGES: Mapping[str, str] = MappingProxyType(
    {"open_clip": "open_clip_torch", "torch_fidelity": "torch-fidelity", "cv2": "opencv-python-headless"}
)
"""A library -> the package that brings it, where that is called otherwise."""


def extra(module: str, name: str) -> ModuleType:
    """A module of an optional extra of this package.

    Raises:
        SteeringError: it is not installed; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        library = module.split(".")[0]
        raise SteeringError(
            f"this needs {library} ({error}); install it with pip install {PACKAGES.get(library, library)}, or "
            f"uv sync --extra {name} in a clone"
        ) from None
