"""Capture: pairs of prompts through a model, the token means of every site at every step kept.

The model is anything that can run prompts and record its sites (`CapturableModel`): the diffusers
adapter here, a graph's MODEL in ComfyUI. What a capture means, that both sides of a pair start from
the same noise, that batches resume, what the metadata say, is the same for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..concepts.pairs import Pair, load_pairs, pairs_hash
from ..concepts.prompts import concept_name
from ..errors import SteeringError
from ..models.sampling import CapturableModel, CaptureSettings, Progress, Sampling, precision_of, silent
from ..sites import BLOCKS, TEXT, choose_sites
from .parts import Parts
from .store import Activations
from .text import capture_text


def capture(
    model: CapturableModel,
    pairs: Sequence[Pair] | str,
    *,
    sites: str = BLOCKS,
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
        concept, pairs = concept or concept_name(Path(pairs)), load_pairs(pairs, model.family)
    if not pairs:
        raise SteeringError("a capture needs at least one pair")
    chosen = choose_sites(model.sites(), sites)
    about = _about(model, pairs, concept)
    if chosen == [TEXT]:
        return capture_text(model, pairs, about)
    if TEXT in chosen:
        raise SteeringError(f"sites {sites!r}: text is captured token by token and alone; capture the others apart")
    metadata = _sampled(model, about, sampling)
    planned = Parts.of(pairs, chosen, sampling, parts, metadata)
    batches = []
    for part in planned.all:
        done = planned.load(part)
        if done is None:
            done = part.capture(model, progress)
            planned.keep(part, done)
        else:
            progress(part.rows)
        batches.append(done)
    tensors = {site: torch.cat([batch[str(site)] for batch in batches], dim=1) for site in chosen}
    return Activations(tensors, model.sigmas(sampling.steps), metadata)


def parts_of(
    model: CapturableModel, pairs: Sequence[Pair], settings: CaptureSettings, concept: str, folder: Path
) -> Parts:
    """The parts of the capture of all blocks that `capture` would go on with in a folder, to be made elsewhere."""
    sampling = settings.on(model)
    metadata = _sampled(model, _about(model, pairs, concept), sampling)
    return Parts.of(pairs, choose_sites(model.sites(), BLOCKS), sampling, folder, metadata)


def _sampled(model: CapturableModel, about: Mapping[str, Any], sampling: Sampling) -> dict[str, Any]:
    """What a capture of blocks says besides."""
    return {
        **about,
        "sampler": model.sampler,
        "scheduler": model.scheduler,
        "precision": precision_of(model),
        "steps": sampling.steps,
        "guidance": sampling.guidance,
        "seed": sampling.seed,
        "size": sampling.size,
    }


def _about(model: CapturableModel, pairs: Sequence[Pair], concept: str) -> dict[str, Any]:
    """What any capture says of where it comes from."""
    return {
        "concept": concept,
        "model": {"family": model.family, "name": model.name, "weights": model.weights_hash()},
        "pairs": pairs_hash(pairs),
        "negatives": [pair.negative for pair in pairs],  # what gate thresholds are measured on
    }
