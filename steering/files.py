"""Writing and reading files: whole or not at all, never pickled, and refused in a sentence where they are broken."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .checks import short
from .errors import SteeringError

KEY = "activation_steering"
"""Name of the one metadata entry, a JSON object."""


STALE = 3600.0
"""Seconds after which a temporary file is one that a killed run has left."""
SOUND = (torch.float16, torch.float32, torch.float64, torch.bool)
"""The types of number that our files hold."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well, else vanishes.

    What was written has reached the disk before it does.

    Raises:
        SteeringError: the disk took no more, or the place cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # safetensors may write files that their owner alone can read
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except (SafetensorError, OSError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SteeringError(f"{path} could not be written ({said}); make room or name another place") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder, on Windows
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):  # some file systems sync no folders
            raise
    finally:
        os.close(handle)


def _sweep(path: Path) -> None:
    """Remove what killed runs left of the same file."""
    for left in _left_behind(path.parent):
        if left.name.startswith(f".{path.name}."):
            left.unlink(missing_ok=True)


@lru_cache(maxsize=1024)
def _left_behind(folder: Path) -> tuple[Path, ...]:
    """Temporary files of killed runs; looked for once a folder, since some hold files by the ten thousand."""
    found = []
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE:
                found.append(path)
    return tuple(found)


@contextmanager
def named(path: str | Path) -> Iterator[None]:
    """Whatever is refused inside the block is refused with the name of the file that it came from."""
    try:
        yield
    except SteeringError as error:
        raise SteeringError(f"{Path(path).name}: {error}") from None


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV text with Unix line ends."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


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

    Raises:
        SteeringError: a number that is not finite, or the disk took no more.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise SteeringError(f"{Path(path).name} is not written, since {name} holds a number that is not finite")
    # Cloned, since safetensors refuses tensors that share their memory.
    contiguous = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    with replacing(path) as temporary:
        header = {**metadata, "kind": kind, "version": version}
        save_file(contiguous, temporary, metadata={KEY: json.dumps(header, ensure_ascii=False), **(beside or {})})


@dataclass(frozen=True)
class Header:
    """What any safetensors file says: shapes by name, and its own words."""

    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]


def header_of(path: str | Path) -> Header:
    """Shapes and metadata of any safetensors file."""
    with _opened(Path(path)) as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (not a dict)
        return Header(shapes, dict(file.metadata() or {}))


def read_tensor(path: str | Path, name: str) -> Tensor:
    """One tensor of any safetensors file."""
    with _opened(Path(path)) as file:
        return file.get_tensor(name)


def read_header(path: str | Path) -> dict[str, Any]:
    """The header of a file of ours, without its tensors: ``kind``, ``version`` and the metadata.

    Raises:
        FileNotFoundError: no such file.
        SteeringError: not safetensors, or not ours.
    """
    with _opened(Path(path)) as file:
        text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise SteeringError(f"{Path(path).name} was not written by Activation Steering; give a file that it wrote")
    header = parse_object(text, Path(path).name)
    if not isinstance(header.get("kind"), str):
        raise SteeringError(f"{Path(path).name} does not say what it holds; make the file again")
    return header


def parse_object(text: str, name: str) -> dict[str, Any]:
    """A JSON object, strictly: no key twice, no NaN, no infinity, not nested beyond reason.

    Raises:
        SteeringError: anything else; ``name`` says of what.
    """
    try:
        value = json.loads(text, object_pairs_hook=_once_each, parse_constant=_refused, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        said = str(error)[:200] or "nested too deeply"
        raise SteeringError(f"{name} does not hold the JSON that it should ({said}); make it again") from None
    if not isinstance(value, dict):
        raise SteeringError(f"{name} holds {type(value).__name__} where a JSON object should be; make it again")
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands there twice")
    return made


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


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
        raise SteeringError(f"{path.name} holds {short(found[0])}, expected {kind!r}")
    if found[1] != version:
        raise SteeringError(
            f"{path.name} has format version {short(found[1])}, this package reads {version}; update the package"
        )
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    for name, tensor in tensors.items():
        if tensor.dtype not in SOUND:
            kinds = ", ".join(str(dtype).removeprefix("torch.") for dtype in SOUND)
            raise SteeringError(f"{path.name}: {name} is of type {tensor.dtype}, not of {kinds}; make the file again")
        if not tensor.isfinite().all():
            raise SteeringError(f"{path.name}: {name} holds a number that is not finite; make the file again")
    return tensors, metadata


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError, MemoryError) as error:
        raise SteeringError(
            f"{path.name} is not a safetensors file ({str(error)[:200]}); only .safetensors files are read"
        ) from None


SOFTWARE = "Activation Steering"
"""What our pictures say they were written by."""


def is_ours(path: Path, kind: str) -> bool:
    """Whether a file was written by this package and is of a kind: a tensor file's, ``scores`` or ``picture``."""
    try:
        if kind == "picture":
            with path.open("rb") as file:  # PNG keeps such texts before the pixels
                start = file.read(4096)
            return start.startswith(b"\x89PNG") and b"tEXtSoftware\0" + SOFTWARE.encode() in start
        if kind == "scores":
            return parse_object(read_text(path), path.name).keys() == {"mode", "sigmas", "sites", "metadata"}
        return read_header(path).get("kind") == kind
    except (SteeringError, OSError):
        return False


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
