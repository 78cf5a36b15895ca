"""The units of work of a study: a part of a capture, gate thresholds, some pictures, their measurements."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ..activations.parts import Part
from ..evaluate.judge import png
from ..evaluate.metrics import Batch
from ..interventions.steer import steer
from ..models.sampling import CaptureSettings, Progress, rows_of, silent
from ..sites import Site
from ..vectors.calibration import calibrate
from ..vectors.vector import SteeringVector
from .pool import Bench
from .setting import Setting


@dataclass(frozen=True)
class Capture:
    """A part of a capture."""

    part: Part

    @property
    def rows(self) -> int:
        """See `steering.study.pool.Task`."""
        return self.part.rows

    def do(self, bench: Bench, progress: Progress = silent) -> dict[str, Tensor]:
        """Token means ``[2, n, S, C]`` by site name."""
        return self.part.capture(bench.model, progress)


@dataclass(frozen=True, eq=False)
class Calibrate:
    """Gate thresholds of a vector on prompts without its concept."""

    vector: SteeringVector
    negatives: tuple[str, ...]
    settings: CaptureSettings
    rows: int

    def do(self, bench: Bench, progress: Progress = silent) -> dict[Site, Tensor]:
        """Thresholds ``[S, K]`` by site."""
        return calibrate(bench.model, self.vector, self.negatives, self.settings, progress)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Pictures as PNG files, the SHA-256 of each one's pixels, and the seconds they took.

    Made into files where they are drawn, since that takes longer than to write them, and few bytes come back.
    """

    files: tuple[bytes, ...]
    sha256: tuple[str, ...]
    seconds: float

    @classmethod
    def of(cls, images: np.ndarray, seconds: float) -> Drawn:
        """Of pictures ``uint8 [N, H, W, 3]``."""
        marks = (hashlib.sha256(image.tobytes()).hexdigest() for image in images)
        return cls(tuple(map(png, images)), tuple(marks), seconds)


@dataclass(frozen=True, eq=False)
class Draw:
    """Pictures that are drawn together.

    Attributes:
        prompts: N prompts.
        seeds: of their noise.
        how: steps, guidance, size and negative prompt, as `DiffusionModel.generate` takes them.
        vector: what steers them, if anything does.
        setting: how it does.
    """

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    how: Mapping[str, Any]
    vector: SteeringVector | None = None
    setting: Setting | None = None

    @property
    def rows(self) -> int:
        """See `steering.study.pool.Task`."""
        return rows_of(len(self.prompts), self.how["steps"], self.how["guidance"])

    def do(self, bench: Bench, progress: Progress = silent) -> Drawn:
        """The pictures."""
        started, setting = time.time(), self.setting
        if self.vector is None or setting is None:
            images = self._generate(bench, progress)
        else:
            start, end = setting.window
            how = {"strength": setting.strength, "preset": setting.preset, "start": start, "end": end}
            with steer(bench.model, self.vector, **how):
                images = self._generate(bench, progress)
        return Drawn.of(images, time.time() - started)

    def _generate(self, bench: Bench, progress: Progress) -> np.ndarray:
        count = len(self.prompts)
        return bench.model.generate(self.prompts, seed=self.seeds, batch=count, progress=progress, **self.how)


@dataclass(frozen=True, eq=False)
class Measure:
    """What a metric says of pictures."""

    metric: str
    batch: Batch
    rows: int = 0

    def do(self, bench: Bench, progress: Progress = silent) -> dict[str, Any]:
        """Columns by name."""
        return dict(bench.metric(self.metric).measure(self.batch))
