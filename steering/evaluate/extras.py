"""Libraries that not everybody needs, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from ..errors import SteeringError


def extra(module: str, name: str) -> ModuleType:
    """A module of an optional extra of this package.

    Raises:
        SteeringError: it is not installed; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise SteeringError(
            f"this needs {module.split('.')[0]} ({error}); install it with pip install 'activation-steering[{name}]', "
            f"or uv sync --extra {name} in a clone"
        ) from None
