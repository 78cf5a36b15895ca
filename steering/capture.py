"""Capture: pairs of prompts through a model, the token means of every site at every step kept.

The model is anything that can run prompts and record its sites (`CapturableModel`): the diffusers
adapter here, a graph's MODEL in ComfyUI. What a capture means, that both sides of a pair start from
the same noise, that batches resume, what the metadata say, is the same for both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from .activations import Activations
from .files import read_tensors, write_tensors
from .pairs import Pair, pairs_hash
from .recording import Reducer, coordinates, quantiles, token_mean
from .sites import Site, choose_sites
from .vector import SteeringVector

STEPS = 30

Progress = Callable[[int], None]
"""Called with the number of UNet rows just computed."""


def silent(rows: int) -> None:
    """No progress."""


@dataclass(frozen=True)
class Usual:
    """What is usual for a family of models.

    Attributes:
        guidance: scale of classifier-free guidance.
        batch: pictures computed together.
        size: width and height in pixels.
    """

    guidance: float
    batch: int
    size: int


_USUAL = {"pocket": Usual(3.0, 16, 128), "sd15": Usual(7.5, 2, 512)}


def usual(family: str) -> Usual:
    """Usual values of a family: SD 1.5's, at what 8 GB hold, unless it is the pocket, which 7.5 saturates."""
    return _USUAL.get(family, _USUAL["sd15"])


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

    def sites(self) -> Mapping[Site, Any]:
        """Every site that can be recorded."""
        ...

    def sigmas(self, steps: int) -> Tensor:
        """Noise levels of a run's first UNet calls of each step ``[steps]``, falling."""
        ...

    def weights_hash(self) -> str:
        """`weights_digest` of the UNet."""
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
        if self.steps < 1 or (self.batch is not None and self.batch < 1):
            raise ValueError(f"steps {self.steps} and batch {self.batch} must be at least 1")

    def on(self, model: CapturableModel) -> Sampling:
        """The same settings with every None filled in for a model."""
        known = usual(model.family)
        guidance = known.guidance if self.guidance is None else self.guidance
        return Sampling(
            self.steps, guidance, self.seed, self.size or model.size, self.batch or max(1, known.batch // 2)
        )


@dataclass(frozen=True)
class Sampling:
    """Capture settings without blanks; see `CaptureSettings`."""

    steps: int
    guidance: float
    seed: int
    size: int | tuple[int, int]
    batch: int


def capture(
    model: CapturableModel,
    pairs: Sequence[Pair],
    sites: str = "attn1,attn2,ff,resnet",
    settings: CaptureSettings | None = None,
    concept: str = "",
    parts: Path | None = None,
    progress: Progress = silent,
) -> Activations:
    """Record the token means of every site on both sides of every pair, at every step.

    Only rows of the prompt are recorded, not those of the negative branch of guidance.

    Args:
        model: from `load_model`.
        pairs: the prompt pairs.
        sites: kinds and site names separated by commas.
        settings: how to sample.
        concept: its name, for the metadata.
        parts: a folder that keeps finished batches, so that an interrupted capture goes on; the
            caller removes it when the whole file is written.
        progress: called with the number of UNet rows just computed.
    """
    sampling = (settings or CaptureSettings()).on(model)
    if not pairs:
        raise ValueError("a capture needs at least one pair")
    chosen = choose_sites(model.sites(), sites)
    metadata = {
        "concept": concept,
        "model": {"family": model.family, "name": model.name, "weights": model.weights_hash()},
        "pairs": pairs_hash(pairs),
        "negatives": [pair.negative for pair in pairs],  # what gate thresholds are measured on
        "sampler": model.sampler,
        "scheduler": model.scheduler,
        "steps": sampling.steps,
        "guidance": sampling.guidance,
        "seed": sampling.seed,
        "size": sampling.size,
    }
    store = _Parts(parts, {**metadata, "sites": [str(site) for site in chosen], "batch": sampling.batch})
    batches = []
    for start in range(0, len(pairs), sampling.batch):
        part = pairs[start : start + sampling.batch]
        done = store.load(start)
        if done is None:
            done = _capture_batch(model, chosen, part, start, sampling, progress)
            store.save(start, done)
        else:
            progress(capture_rows(len(part), sampling))
        batches.append(done)
    tensors = {site: torch.cat([batch[str(site)] for batch in batches], dim=1) for site in chosen}
    return Activations(tensors, model.sigmas(sampling.steps), metadata)


def capture_rows(pairs: int, settings: CaptureSettings | Sampling) -> int:
    """Number of UNet rows that a capture computes."""
    return 2 * pairs * settings.steps * (2 if settings.guidance != 1 else 1)


def _capture_batch(
    model: CapturableModel,
    sites: Sequence[Site],
    pairs: Sequence[Pair],
    first: int,
    sampling: Sampling,
    progress: Progress,
) -> dict[str, Tensor]:
    """One batch of pairs: ``[2, n, S, C]`` by site name."""
    prompts = [pair.positive for pair in pairs] + [pair.negative for pair in pairs]
    seeds = [sampling.seed + first + i for i in range(len(pairs))]  # both sides start from the same noise
    steps = model.recorded(sites, prompts, seeds * 2, sampling, token_mean, progress)
    sides = (2, len(pairs))
    return {str(site): torch.stack([step[site] for step in steps], dim=1).unflatten(0, sides) for site in sites}


class _Parts:
    """Finished batches in a folder; batches of another capture in the same folder do not count."""

    def __init__(self, folder: Path | None, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    def load(self, start: int) -> dict[str, Tensor] | None:
        path = self.folder / f"{start:06d}.safetensors" if self.folder else None
        if path is None or not path.is_file():
            return None
        tensors, header = read_tensors(path, "part", 1)
        return tensors if header.get("key") == self.key else None

    def save(self, start: int, tensors: dict[str, Tensor]) -> None:
        if self.folder:
            write_tensors(self.folder / f"{start:06d}.safetensors", tensors, "part", 1, {"key": self.key})


def calibrate(
    model: CapturableModel,
    vector: SteeringVector,
    prompts: Sequence[str],
    settings: CaptureSettings | None = None,
    progress: Progress = silent,
) -> dict[Site, Tensor]:
    """Gate thresholds ``[S, K]``: the 95 % quantile of per-token coordinates on negative prompts.

    A read-only pass; put the result into the vector with `steering.build.with_thresholds`. The pass
    runs at the noise levels of its own steps, and a knot of the vector takes those nearest to it.
    """
    sampling = (settings or CaptureSettings()).on(model)
    values: dict[Site, list[list[Tensor]]] = {site: [[] for _ in vector.sigmas] for site in vector.sites}
    knots = [vector.knot(sigma) for sigma in model.sigmas(sampling.steps).tolist()]
    reduce = coordinates(vector)
    for start in range(0, len(prompts), sampling.batch):
        part = list(prompts[start : start + sampling.batch])
        seeds = [sampling.seed + start + i for i in range(len(part))]
        steps = model.recorded(list(vector.sites), part, seeds, sampling, reduce, progress)
        for knot, kept in zip(knots, steps, strict=True):
            for site, value in kept.items():
                values[site][knot].append(value)
    return quantiles(_fill(values))


def captured_negatives(model: CapturableModel, captured: Mapping[str, Any]) -> tuple[list[str], CaptureSettings]:
    """The negative prompts of a capture and how it sampled, which is what `calibrate` wants.

    Raises:
        ValueError: the capture's metadata lack something, or the model is another one.
    """
    missing = [name for name in ("negatives", "model", "steps", "guidance", "seed", "size") if name not in captured]
    if missing:
        raise ValueError(
            f"gate thresholds need {', '.join(missing)} of the capture, which the file lacks; capture again"
        )
    if model.weights_hash() != captured["model"]["weights"]:
        raise ValueError(
            f"gate thresholds need the model that was captured ({captured['model']['name']}), and this is another; "
            "give that one, or do without thresholds"
        )
    return captured["negatives"], CaptureSettings(*(captured[name] for name in ("steps", "guidance", "seed", "size")))


def _fill(values: dict[Site, list[list[Tensor]]]) -> dict[Site, list[list[Tensor]]]:
    """Give a knot that no step came near the values of its nearest filled neighbour."""
    filled = {}
    for site, knots in values.items():
        full = [i for i, parts in enumerate(knots) if parts]
        filled[site] = [knots[min(full, key=lambda j, i=i: abs(j - i))] for i in range(len(knots))]
    return filled


def draw_noise(seeds: Sequence[int], channels: int, size: int | tuple[int, int]) -> Tensor:
    """Standard normal latents ``[B, channels, height / 8, width / 8]``, each drawn on the CPU from its own seed."""
    width, height = (size, size) if isinstance(size, int) else size
    if min(width, height) < 8 or width % 8 or height % 8:
        raise ValueError(f"size {width} x {height} must be multiples of 8")
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
