"""Writing and reading the two tensor files: whole or not at all, and never pickled."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

KEY = "activation_steering"
"""Name of the one metadata entry, a JSON object."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well, else vanishes."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a JSON header as safetensors, whole or not at all."""
    # Cloned, since safetensors refuses tensors that share their memory.
    contiguous = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    with replacing(path) as temporary:
        save_file(contiguous, temporary, metadata={KEY: json.dumps(dict(header), ensure_ascii=False)})


def read_tensors(path: str | Path, kind: str, version: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a file of ours.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not safetensors, not ours, another kind or version, or a number that is not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path.name} is not a safetensors file ({error}); only .safetensors files are read") from None
    try:
        header = json.loads(metadata[KEY])
    except (KeyError, json.JSONDecodeError):
        raise ValueError(f"{path.name} was not written by Activation Steering; expected {kind} made by it") from None
    if header.get("kind") != kind:
        raise ValueError(f"{path.name} holds {header.get('kind')!r}, expected {kind!r}")
    if header.get("version") != version:
        raise ValueError(
            f"{path.name} has format version {header.get('version')}, this package reads {version}; update the package"
        )
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(f"{path.name}: {name} holds a number that is not finite; make the file again")
    return tensors, header
