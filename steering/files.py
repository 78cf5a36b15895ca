"""Writing and reading the two tensor files: whole or not at all, and never pickled."""

from __future__ import annotations

import hashlib
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

from .errors import SteeringError

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


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file, without its byte order mark.

    Raises:
        FileNotFoundError: no such file.
        SteeringError: bytes that are not UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SteeringError(f"{Path(path).name} is not UTF-8 text ({error.reason}); save it as UTF-8") from None


def write_tensors(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    kind: str,
    version: int,
    metadata: Mapping[str, Any],
    beside: Mapping[str, str] | None = None,
) -> None:
    """Write tensors as safetensors with a JSON header of kind, version and metadata, whole or not at all.

    ``beside`` are further entries next to that header, for programs that look for names of their own.
    """
    # Cloned, since safetensors refuses tensors that share their memory.
    contiguous = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    with replacing(path) as temporary:
        header = {**metadata, "kind": kind, "version": version}
        save_file(contiguous, temporary, metadata={KEY: json.dumps(header, ensure_ascii=False), **(beside or {})})


def read_header(path: str | Path) -> dict[str, Any]:
    """The header of a file of ours, without its tensors: ``kind``, ``version`` and the metadata.

    Raises:
        FileNotFoundError: no such file.
        SteeringError: not safetensors, or not ours.
    """
    with _opened(Path(path)) as file:
        try:
            return json.loads((file.metadata() or {})[KEY])
        except (KeyError, json.JSONDecodeError):
            raise SteeringError(
                f"{Path(path).name} was not written by Activation Steering; give a file that it wrote"
            ) from None


def read_tensors(path: str | Path, kind: str, version: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a file of ours.

    Raises:
        FileNotFoundError: no such file.
        SteeringError: not safetensors, not ours, another kind or version, or a number that is not finite.
    """
    path = Path(path)
    metadata = read_header(path)
    found = metadata.pop("kind", None), metadata.pop("version", None)
    if found[0] != kind:
        raise SteeringError(f"{path.name} holds {found[0]!r}, expected {kind!r}")
    if found[1] != version:
        raise SteeringError(
            f"{path.name} has format version {found[1]}, this package reads {version}; update the package"
        )
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise SteeringError(f"{path.name}: {name} holds a number that is not finite; make the file again")
    return tensors, metadata


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise SteeringError(
            f"{path.name} is not a safetensors file ({error}); only .safetensors files are read"
        ) from None


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
