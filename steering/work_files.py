"""Files of a work folder: how they are named, whether they hold what they should, what becomes of damaged ones."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .errors import SteeringError
from .files import read_header

Value = TypeVar("Value")


def digest(*parts: Any) -> str:
    """A short hash of JSON values, for the names of files."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:20]


def discard_damaged(path: Path, again: str, error: object = None) -> None:
    """Remove a damaged file of a work folder, and say that what it held is ``drawn``, ``measured`` ... again."""
    why = "" if error is None else f" ({error})"
    warnings.warn(f"{path} was damaged and is {again} again{why}", stacklevel=3)
    path.unlink(missing_ok=True)


def whole_or_discarded(path: Path, read: Callable[[], bool], again: str) -> bool:
    """Whether a file of a work folder holds what it should, by reading it; a damaged one goes, see `discard_damaged`.

    Args:
        path: the file, which is there.
        read: reads what it holds, and says whether that is right.
        again: what is then done again.
    """
    try:
        whole = read()
    except Exception:  # zip, zlib, PNG, numpy and JSON each raise what they like at damage, down to RuntimeError
        whole = False
    if not whole:
        discard_damaged(path, again)
    return whole


def made_with(path: Path, key: str, load: Callable[[Path], Value], again: str = "made") -> Value | None:
    """What a file of a work folder holds that was made with a key, which its header says.

    None where there is no such file, or a damaged one, which goes, see `discard_damaged`.
    """
    try:
        return load(path) if path.is_file() and read_header(path).get("key") == key else None
    except SteeringError as error:
        discard_damaged(path, again, error)
        return None
