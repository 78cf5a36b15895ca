"""Raw measurements of pictures: one file a unit and metric, put together into one table an arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..concepts.prompts import Concept
from ..evaluate.metrics import Batch, Metric
from ..files import replacing
from ..work_files import digest, whole_or_discarded
from .renderer import Item, Renderer, Unit, read_picture
from .tasks import Measure

LEAST_COSINE = 0.05
"""Floor of the cosine of an original and its prompt where a loss is given in percent of it, so that one near zero does
not blow it up; real pictures have 0.2 to 0.35."""
UNFINISHED = "unfinished"
"""A metric's column that says which pictures should be tried again in a later run."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """What was measured in one arm, a row a picture.

    Attributes:
        items: N pictures.
        pictures: their files.
        sha256: of their pixels.
        columns: name -> values ``[N]``.
        features: name -> features ``[N, d]``.
    """

    items: tuple[Item, ...]
    pictures: tuple[Path, ...]
    sha256: tuple[str, ...]
    columns: Mapping[str, np.ndarray]
    features: Mapping[str, np.ndarray]

    def subset(self, index: np.ndarray) -> Measurements:
        """Some of the rows, by a bool or integer index."""
        places = np.arange(len(self.items))[index]
        return Measurements(
            tuple(self.items[i] for i in places),
            tuple(self.pictures[i] for i in places),
            tuple(self.sha256[i] for i in places),
            {name: values[places] for name, values in self.columns.items()},
            {name: values[places] for name, values in self.features.items()},
        )

    def role(self, role: str) -> np.ndarray:
        """Which rows are of a role, bool ``[N]``."""
        return np.array([item.prompt.role == role for item in self.items])

    def aligned(self, other: Measurements) -> np.ndarray:
        """Rows of ``other`` that draw the same prompt and repetition as these, ``[N]``.

        Raises:
            KeyError: the other arm lacks one.
        """
        base = min((item.repeat for item in self.items), default=0), min((i.repeat for i in other.items), default=0)
        place = {(item.name, item.repeat - base[1]): i for i, item in enumerate(other.items)}
        return np.array([place[item.name, item.repeat - base[0]] for item in self.items], int)

    def names(self) -> list[str]:
        """The prompt of every row, the unit of inference; a list may hold one several times, with other seeds."""
        return [f"{item.prompt.role}: {item.prompt.text}" for item in self.items]


@dataclass(frozen=True)
class Evaluator:
    """Where measurements are kept, and which pictures are the originals.

    Attributes:
        renderer: where the pictures are.
        folder: of the measurements.
        originals: (prompt's name, repetition) -> the file of its unsteered picture.
        since: when this run began; what failed before is tried again.
    """

    renderer: Renderer
    folder: Path
    originals: Mapping[tuple[str, int], Path]
    since: float = 0.0

    def key(self, metric: Metric, unit: Unit, concept: Concept) -> str:
        """A hash of everything that decides a unit's measurement."""
        prompts = [[item.prompt.text, item.prompt.shows, item.prompt.rest] for item in unit.items]
        originals = [str(path.relative_to(self.renderer.folder)) for path in self._originals(unit)]
        return f"{metric.name}-{digest(metric.identity(), metric.about(concept), unit.key, prompts, originals)}"

    def _originals(self, unit: Unit) -> list[Path]:
        return [self.originals[item.name, item.repeat - unit.arm.repeat] for item in unit.items]

    def finished(self, key: str) -> bool:
        """Whether a measurement is there; one with failures counts if this run has tried it."""
        partial = self._partial(key)
        return _is_whole(self._path(key)) or (_is_whole(partial) and partial.stat().st_mtime >= self.since)

    def task(self, metric: Metric, unit: Unit, concept: Concept) -> Measure:
        """The work that measures a unit's pictures."""
        images = self.renderer.load(unit)
        originals = np.stack([read_picture(path) for path in self._originals(unit)])
        return Measure(metric.name, Batch(images, originals, [item.prompt for item in unit.items], concept))

    def keep(self, key: str, columns: dict[str, Any]) -> None:
        """Write raw values."""
        open_ends = bool(np.any(columns.pop(UNFINISHED, False)))
        with replacing(self._partial(key) if open_ends else self._path(key)) as temporary, temporary.open("wb") as file:
            arrays = {name: np.asarray(values) for name, values in columns.items()}
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def read(self, metrics: Sequence[Metric], units: Sequence[Unit], concept: Concept) -> Measurements:
        """All measurements of an arm's units, in their order."""
        parts: dict[str, list[np.ndarray]] = {}
        for unit in units:
            for metric in metrics:
                key = self.key(metric, unit, concept)
                path = self._path(key)
                with np.load(path if path.is_file() else self._partial(key), allow_pickle=False) as stored:
                    for name in stored.files:
                        parts.setdefault(name, []).append(stored[name])
        joined = {name: np.concatenate(values) for name, values in parts.items()}
        return Measurements(
            tuple(item for unit in units for item in unit.items),
            tuple(self.renderer.path(unit.key, i) for unit in units for i in range(len(unit.items))),
            tuple(mark for unit in units for mark in self.renderer.record(unit)["sha256"]),
            {name: values for name, values in joined.items() if values.ndim == 1},
            {name: values for name, values in joined.items() if values.ndim == 2},
        )

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def _partial(self, key: str) -> Path:
        return self.folder / f"{key}.partial.npz"


def _is_whole(path: Path) -> bool:
    """Whether a file of arrays is there; a damaged one is removed, to be measured again."""

    def even() -> bool:
        with np.load(path, allow_pickle=False) as stored:
            return len({len(stored[name]) for name in stored.files}) == 1

    return path.is_file() and whole_or_discarded(path, even, "measured")


def presence(measurements: Measurements) -> np.ndarray:
    """0-100 presence of the concept ``[N]``: the embedded judge's, else zero-shot CLIP's."""
    return measurements.columns["presence" if "presence" in measurements.columns else "clip_presence"]


def kept(measurements: Measurements, original: Measurements) -> np.ndarray:
    """What is left of what the prompts ask for, 0-100 ``[N]``.

    The embedded judge's presence of it where there is one; else the cosine with the prompt, in percent of the
    original picture's.
    """
    if "kept" in measurements.columns:
        return measurements.columns["kept"]
    before = original.columns["clip_prompt"][measurements.aligned(original)]
    return 100 * measurements.columns["clip_prompt"] / np.maximum(before, LEAST_COSINE)


def lost(measurements: Measurements, original: Measurements) -> np.ndarray:
    """Points of `kept` that steering cost ``[N]``."""
    return kept(original, original)[measurements.aligned(original)] - kept(measurements, original)


def by_prompt(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Mean over the repetitions of every prompt, NaN left out ``[P]``; prompts without any value fall out."""
    sums: dict[str, list[float]] = {}
    for name, value in zip(names, values, strict=True):
        if not np.isnan(value):
            sums.setdefault(name, []).append(float(value))
    return np.array([np.mean(part) for part in sums.values()])
