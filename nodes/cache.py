"""Captures kept on disk between runs, found again by what decides them.

A capture takes minutes to hours and depends on much that a graph does not show: LoRAs and patches
upstream, the weights behind a file name, a CLIP of another kind. So an entry has two parts: a key,
the hash of everything that is written down (pairs, sites, settings, weights), and a probe, the
encoded prompts and a picture in few steps, which is compared within a tolerance, since the same
graph does not repeat to the last bit everywhere.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..steering.activations.parts import remove_parts
from ..steering.activations.store import Activations
from ..steering.files import read_tensors, write_tensors

LIMIT = 4 * 1024**3
"""Bytes kept: five captures of all sites of SD 1.5 with fifty pairs and thirty steps."""
SAME = 2e-3
"""Relative distance up to which two probes are the same: twice the precision of float16."""

Probe = Mapping[str, Tensor]


def key_of(settings: Mapping[str, Any]) -> str:
    """Hash of everything about a capture that is written down."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:24]


def same(probe: Probe, other: Probe) -> bool:
    """Whether two probes come from the same model and texts."""
    return probe.keys() == other.keys() and all(_close(probe[name], other[name]) for name in probe)


def _close(x: Tensor, y: Tensor) -> bool:
    return x.shape == y.shape and bool((x.float() - y.float()).norm() <= SAME * y.float().norm())


class CaptureCache:
    """Finished and unfinished captures in a folder."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit

    def entry(self, key: str, probe: Probe) -> Path:
        """The folder of a capture, made where there is none yet; its parts may be there from an earlier try."""
        for path in sorted(self.folder.glob(f"{key}-*")):
            if same(_probe_of(path), probe):
                return path
        taken = {path.name for path in self.folder.glob(f"{key}-*")}
        name = next(f"{key}-{n}" for n in range(len(taken) + 1) if f"{key}-{n}" not in taken)
        write_tensors(self.folder / name / "probe.safetensors", dict(probe), "probe", 1, {})
        return self.folder / name

    def load(self, entry: Path) -> Activations | None:
        """The finished capture of an entry; None where it is not finished, or was damaged."""
        path = entry / "activations.safetensors"
        try:
            loaded = Activations.load(path)
        except (FileNotFoundError, ValueError):
            return None
        path.touch()  # the oldest unused goes first
        return loaded

    def store(self, entry: Path, activations: Activations) -> None:
        """Finish an entry, and make room."""
        activations.save(entry / "activations.safetensors")
        remove_parts(entry / "parts")
        self.prune(entry)

    def prune(self, keep: Path) -> None:
        """Remove the entries longest unused until the rest fits the limit; ``keep`` stays."""
        entries = sorted(self.folder.glob("*-*"), key=_last_used)
        sizes = {path: _size(path) for path in entries}
        total = sum(sizes.values())
        for path in entries:
            if total > self.limit and path != keep:
                total -= sizes[path]
                shutil.rmtree(path, ignore_errors=True)


def _probe_of(entry: Path) -> Probe:
    try:
        return read_tensors(entry / "probe.safetensors", "probe", 1)[0]
    except (FileNotFoundError, ValueError):
        return {}


def _size(entry: Path) -> int:
    return sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())


def _last_used(entry: Path) -> float:
    return max((path.stat().st_mtime for path in entry.rglob("*")), default=0.0)
