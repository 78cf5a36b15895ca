"""How a capture samples, and what it needs of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ..checks import MOST_GUIDANCE, check_finite
from ..errors import SteeringError
from ..families import family_named
from ..sites import Site
from .recording import Reducer

STEPS = 30


Progress = Callable[[int], None]
"""Called with the number of UNet rows just computed."""


def silent(rows: int) -> None:
    """No progress."""


class CapturableModel(Protocol):
    """What a capture needs of a model.

    Attributes:
        family: vectors fit within a family.
        name: where it comes from.
        size: pictures' usual width and height.
        sampler: name of the deterministic sampler that it runs.
        scheduler: name of the schedule of noise levels.
    """

    family: str
    name: str
    size: int
    sampler: str
    scheduler: str

    @property
    def dtype(self) -> torch.dtype:
        """What the UNet computes in."""
        ...

    def sites(self) -> Mapping[Site, Any]:
        """Every site that can be recorded."""
        ...

    def sigmas(self, steps: int) -> Tensor:
        """Noise levels of a run's first UNet calls of each step ``[steps]``, falling."""
        ...

    def weights_hash(self) -> str:
        """`weights_digest` of the UNet."""
        ...

    def embedded(self, prompts: Sequence[str]) -> tuple[Tensor, list[list[int]]]:
        """Text embeddings ``[B, T, C]`` of prompts, and the T tokens of each."""
        ...

    def recorded(
        self,
        sites: Sequence[Site],
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling,
        reduce: Reducer,
        progress: Progress,
    ) -> list[dict[Site, Tensor]]:
        """What ``reduce`` keeps of every site on the prompts' rows, in the first UNet call of each step."""
        ...


def precision_of(model: CapturableModel) -> str:
    """The name of what its UNet computes in, as ``float16``."""
    return str(model.dtype).removeprefix("torch.")


@dataclass(frozen=True)
class CaptureSettings:
    """How a capture samples.

    Attributes:
        steps: noise levels S.
        guidance: classifier-free guidance; 1 halves the cost and skips the negative branch; None takes
            the usual one.
        seed: pair i starts from the noise of ``seed + i``, on both sides.
        size: side in pixels, or (width, height); None takes the model's own.
        batch: pairs computed together; None takes half of the usual batch of pictures.
    """

    steps: int = STEPS
    guidance: float | None = None
    seed: int = 0
    size: int | tuple[int, int] | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        check_sampling(self.steps, self.guidance, self.size, [self.seed], self.batch)

    def on(self, model: CapturableModel) -> Sampling:
        """The same settings with every None filled in for a model."""
        known = family_named(model.family)
        guidance = known.guidance if self.guidance is None else self.guidance
        return Sampling(
            self.steps,
            guidance,
            self.seed,
            model.size if self.size is None else self.size,
            self.batch or max(1, known.batch // 2),
        )


@dataclass(frozen=True)
class Sampling:
    """Capture settings without blanks; see `CaptureSettings`."""

    steps: int
    guidance: float
    seed: int
    size: int | tuple[int, int]
    batch: int


def rows_of(pictures: int, steps: int, guidance: float | None) -> int:
    """UNet rows that pictures cost; guidance but 1 takes two a step."""
    return pictures * steps * (2 if guidance != 1 else 1)


MOST_STEPS, MOST_SIZE = 10_000, 8192


def check_sampling(
    steps: int,
    guidance: float | None,
    size: int | tuple[int, int] | None,
    seeds: Sequence[int] = (),
    batch: int | None = None,
) -> None:
    """Raise SteeringError for what no run can be sampled with; None is left to the model."""
    if not 1 <= steps <= MOST_STEPS:
        raise SteeringError(f"steps {steps} must lie between 1 and {MOST_STEPS}")
    if guidance is not None:
        check_finite(guidance, "guidance", MOST_GUIDANCE)
    if size is not None:
        _check_size(size)
    for seed in seeds:
        if not 0 <= seed < 2**64:
            raise SteeringError(f"seed {seed} must lie between 0 and 2^64 - 1")
    if batch is not None and batch < 1:
        raise SteeringError(f"batch {batch} must be at least 1")


def _check_size(size: int | tuple[int, int]) -> None:
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, int) for side in sides):
        raise SteeringError(f"size {size!r} must be one whole number, or a width and a height")
    if not all(8 <= side <= MOST_SIZE and side % 8 == 0 for side in sides):
        raise SteeringError(f"size {sides[0]} x {sides[1]} must be multiples of 8 from 8 to {MOST_SIZE}")


def draw_noise(seeds: Sequence[int], channels: int, size: int | tuple[int, int]) -> Tensor:
    """Standard normal latents ``[B, channels, height / 8, width / 8]``, each drawn on the CPU from its own seed."""
    width, height = (size, size) if isinstance(size, int) else size
    shape = (1, channels, height // 8, width // 8)
    return torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds])


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over the diffusers names, the shapes and the first 64 numbers, as float16, of every UNet tensor.

    The same whatever the layout and precision that the weights were loaded in.
    """
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update(value.detach().flatten()[:64].half().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
