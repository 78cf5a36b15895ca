"""A capture in parts: batches of pairs that are computed together, each on its own, and kept until all are there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checks import some_of
from ..concepts.pairs import Pair
from ..errors import SteeringError
from ..files import read_tensors, write_tensors
from ..models.recording import token_mean
from ..models.sampling import (
    CapturableModel,
    CaptureSettings,
    Progress,
    Sampling,
    check_sampling,
    rows_of,
    silent,
)
from ..sites import Site
from ..work_files import Value, made_with


def capture_rows(pairs: int, settings: CaptureSettings | Sampling) -> int:
    """Number of UNet rows that a capture computes."""
    return rows_of(2 * pairs, settings.steps, settings.guidance)


@dataclass(frozen=True)
class Part:
    """A batch of a capture's pairs.

    Attributes:
        sites: what is recorded.
        pairs: the batch.
        first: number of its first pair among all, which decides the noise.
        sampling: how it is sampled.
    """

    sites: tuple[Site, ...]
    pairs: tuple[Pair, ...]
    first: int
    sampling: Sampling

    @property
    def rows(self) -> int:
        """UNet rows that it costs."""
        return capture_rows(len(self.pairs), self.sampling)

    def capture(self, model: CapturableModel, progress: Progress = silent) -> dict[str, Tensor]:
        """Token means ``[2, n, S, C]`` by site name.

        Raises:
            SteeringError: the model never ran a site, or gave values that are not finite.
        """
        prompts = [pair.positive for pair in self.pairs] + [pair.negative for pair in self.pairs]
        seeds = [self.sampling.seed + self.first + i for i in range(len(self.pairs))]  # both sides: the same noise
        steps = model.recorded(self.sites, prompts, seeds * 2, self.sampling, token_mean, progress)
        missed = [site for site in self.sites if any(site not in step for step in steps)]
        if missed:
            raise SteeringError(
                f"the model never ran {some_of(missed)}, which a capture was to record: "
                "something else skips or replaces these blocks; take it out, or capture other sites"
            )
        for site in self.sites:
            broken = next((i for i, step in enumerate(steps) if not step[site].isfinite().all()), None)
            if broken is not None:
                raise SteeringError(
                    f"{site} is not finite at step {broken + 1} of {len(steps)}: the model overflows or holds broken "
                    "weights; use another precision or model, or lower guidance"
                )
        sides = (2, len(self.pairs))
        return {str(site): torch.stack([step[site] for step in steps], 1).unflatten(0, sides) for site in self.sites}


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of a capture, and the folder that keeps those that are made; parts of another capture do not count.

    Attributes:
        all: in order.
        folder: None keeps nothing.
        key: a hash of what decides them.
    """

    all: tuple[Part, ...]
    folder: Path | None
    key: str

    @classmethod
    def of(
        cls, pairs: Sequence[Pair], sites: Sequence[Site], sampling: Sampling, folder: Path | None, about: Any
    ) -> Parts:
        """The parts of pairs, in batches as ``sampling`` says; ``about`` says what else decides them, as JSON."""
        check_sampling(sampling.steps, sampling.guidance, sampling.size, [sampling.seed + len(pairs) - 1])
        starts = range(0, len(pairs), sampling.batch)
        every = (Part(tuple(sites), tuple(pairs[i : i + sampling.batch]), i, sampling) for i in starts)
        settings = {**about, "sites": [str(site) for site in sites], "batch": sampling.batch}
        return cls(tuple(every), folder, hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest())

    def load(self, part: Part) -> dict[str, Tensor] | None:
        """What was kept of a part; a damaged file is removed."""
        return self._kept(part, lambda path: read_tensors(path, "part", 1)[0])

    def has(self, part: Part) -> bool:
        """Whether a part was kept, as its file's header says."""
        return self._kept(part, lambda _path: True) is not None

    def _kept(self, part: Part, load: Callable[[Path], Value]) -> Value | None:
        path = self._path(part)
        return None if path is None else made_with(path, self.key, load, "captured")

    def keep(self, part: Part, tensors: dict[str, Tensor]) -> None:
        """Write a part's file, where there is a folder."""
        path = self._path(part)
        if path:
            write_tensors(path, tensors, "part", 1, {"key": self.key})

    def _path(self, part: Part) -> Path | None:
        return self.folder / f"{part.first:06d}.safetensors" if self.folder else None


def parts_folder(path: Path) -> Path:
    """Where the parts of a capture lie until its file is written."""
    return path.with_name(f".{path.stem}_parts")


def remove_parts(folder: Path) -> None:
    """Remove the batches of a finished capture, and their folder where nothing else lies in it."""
    for path in folder.glob("[0-9]" * 6 + ".safetensors"):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
