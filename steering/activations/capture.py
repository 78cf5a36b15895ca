"""Capture: pairs of prompts through a model, the token means of every site at every step kept.

The model is anything that can run prompts and record its sites (`CapturableModel`): the diffusers
adapter here, a graph's MODEL in ComfyUI. What a capture means, that both sides of a pair start from
the same noise, that batches resume, what the metadata say, is the same for both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checks import some_of
from ..concepts.pairs import Pair, load_pairs, pairs_hash
from ..errors import SteeringError
from ..files import discard_damaged, read_tensors, write_tensors
from ..models.recording import token_mean
from ..models.sampling import CapturableModel, CaptureSettings, Progress, Sampling, rows_of, silent
from ..sites import TEXT, Site, choose_sites
from .store import Activations
from .text import capture_text


def capture(
    model: CapturableModel,
    pairs: Sequence[Pair] | str,
    *,
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
        pairs: the prompt pairs; or the name of a built-in concept, whose pairs for the model's family are taken, or a
            file of pairs.
        sites: kinds and site names separated by commas; or ``text`` alone, which takes no sampling and keeps tokens.
        settings: how to sample.
        concept: its name, for the metadata.
        parts: a folder that keeps finished batches, so that an interrupted capture goes on; the
            caller removes it when the whole file is written.
        progress: called with the number of UNet rows just computed.
    """
    sampling = (settings or CaptureSettings()).on(model)
    if isinstance(pairs, str):
        concept, pairs = concept or Path(pairs).stem, load_pairs(pairs, model.family)
    if not pairs:
        raise SteeringError("a capture needs at least one pair")
    chosen = choose_sites(model.sites(), sites)
    about = _about(model, pairs, concept)
    if chosen == [TEXT]:
        return capture_text(model, pairs, about)
    if TEXT in chosen:
        raise SteeringError(f"sites {sites!r}: text is captured token by token and alone; capture the others apart")
    metadata = {
        **about,
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


def _about(model: CapturableModel, pairs: Sequence[Pair], concept: str) -> dict[str, Any]:
    """What any capture says of where it comes from."""
    return {
        "concept": concept,
        "model": {"family": model.family, "name": model.name, "weights": model.weights_hash()},
        "pairs": pairs_hash(pairs),
        "negatives": [pair.negative for pair in pairs],  # what gate thresholds are measured on
    }


def capture_rows(pairs: int, settings: CaptureSettings | Sampling) -> int:
    """Number of UNet rows that a capture computes."""
    return rows_of(2 * pairs, settings.steps, settings.guidance)


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
    missed = [site for site in sites if any(site not in step for step in steps)]
    if missed:
        raise SteeringError(
            f"the model never ran {some_of(missed)}, which a capture was to record: "
            "something else skips or replaces these blocks; take it out, or capture other sites"
        )
    for site in sites:
        broken = next((i for i, step in enumerate(steps) if not step[site].isfinite().all()), None)
        if broken is not None:
            raise SteeringError(
                f"{site} is not finite at step {broken + 1} of {len(steps)}: the model overflows or holds broken "
                "weights; use another precision or model, or lower guidance"
            )
    sides = (2, len(pairs))
    return {str(site): torch.stack([step[site] for step in steps], dim=1).unflatten(0, sides) for site in sites}


def remove_parts(folder: Path) -> None:
    """Remove the batches of a finished capture, and their folder where nothing else lies in it."""
    for path in folder.glob("[0-9]" * 6 + ".safetensors"):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


class _Parts:
    """Finished batches in a folder; batches of another capture in the same folder do not count."""

    def __init__(self, folder: Path | None, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    def load(self, start: int) -> dict[str, Tensor] | None:
        path = self.folder / f"{start:06d}.safetensors" if self.folder else None
        if path is None or not path.is_file():
            return None
        try:
            tensors, header = read_tensors(path, "part", 1)
        except SteeringError as error:
            discard_damaged(path, "captured", error)
            return None
        return tensors if header.get("key") == self.key else None

    def save(self, start: int, tensors: dict[str, Tensor]) -> None:
        if self.folder:
            write_tensors(self.folder / f"{start:06d}.safetensors", tensors, "part", 1, {"key": self.key})
