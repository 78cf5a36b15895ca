"""A LoRA's file, and how far an approximated one is from what it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import SteeringError
from ..families import family_named
from ..files import write_tensors
from ..interventions.entry import Entry
from ..interventions.steer import steer
from ..models.diffusion import DiffusionModel
from ..models.sampling import Progress, silent
from ..sites import Site
from ..version import __version__
from .bake import Delta, Layer, bake, check_linear, linearised, merged, obstacles, relative_gap
from .formats import FORMATS, KIND, VERSION

GAP_STEPS = 15
"""Steps of the runs that measure a gap."""


def gap_prompt(entry: Entry) -> str:
    """What a gap is measured on, where nobody says."""
    return f"a photo of {entry.vector.metadata.get('concept') or 'something'}"


@dataclass(frozen=True, eq=False)
class Lora:
    """What came of an export.

    Attributes:
        entry: what was asked for.
        deltas: the changes of layers that do it, or nearly.
        inexact: what had to be approximated; nothing where it is exact.
        gap: `steering.lora.bake.relative_gap` where something was.
    """

    entry: Entry
    deltas: Mapping[Site, Delta]
    inexact: Sequence[str] = ()
    gap: float | None = None

    def __str__(self) -> str:
        if self.gap is None:
            return f"exact, {len(self.deltas)} layers"
        lines = "".join(f"\n- {line}" for line in self.inexact)
        return f"approximated, gap {self.gap:.2f} (0: the same picture, 1: as far off as not steering):{lines}"


def make_lora(
    entry: Entry,
    layers_of: Callable[[Sequence[Site]], Mapping[Site, Layer]],
    measure: Callable[[Mapping[Site, Delta]], float] | None,
    remedy: str,
) -> Lora:
    """A LoRA that does what an entry does.

    Args:
        entry: what is asked for; its strength is baked in.
        layers_of: weight and bias of the linear layers of some sites.
        measure: the gap of an approximation; None refuses to approximate.
        remedy: what to do about a refusal, in the words of who asks.

    Raises:
        SteeringError: strength 0, a vector at no linear layer, or what a LoRA cannot hold exactly where that is
            refused.
    """
    if not entry.strength:
        raise SteeringError("a LoRA of strength 0 does nothing; give another strength")
    check_linear(entry.vector)
    inexact = obstacles(entry)
    if inexact and measure is None:
        raise SteeringError(f"a LoRA cannot hold this exactly: {'; '.join(inexact)}. {remedy}")
    held = linearised(entry) if inexact else entry
    deltas = bake(held, layers_of(list(held.vector.sites)))
    return Lora(entry, deltas, inexact, measure(deltas) if inexact and measure else None)


def save_lora(path: Path, format_: str, lora: Lora, weights: str, family: str) -> dict[str, Any]:
    """Write a LoRA, whole or not at all; returns what its header says.

    Args:
        path: the file.
        format_: a name of `steering.lora.formats.FORMATS`.
        lora: from `make_lora`.
        weights: hash of the UNet's weights that it was made from.
        family: the model's.
    """
    entry, target = lora.entry, lora.entry.target
    about = {
        "concept": str(entry.vector.metadata.get("concept", "")),
        "mode": entry.mode,
        "target": None if target is None else str(target.metadata.get("concept", "")),
        "strength": entry.strength,
        "reference": entry.settings.reference,
        "family": family,
        "format": format_,
        "vector": entry.vector.digest(lengths=True),
        "target_vector": None if target is None else target.digest(lengths=True),
        "weights": weights,
        "sites": [str(site) for site in lora.deltas],
        "approximated": list(lora.inexact),
        "gap": lora.gap,
        "package": __version__,
    }
    card = model_card(about, lora.deltas, family)
    write_tensors(path, FORMATS[format_].tensors(lora.deltas, family), KIND, VERSION, about, card)
    return about


def model_card(about: Mapping[str, Any], deltas: Mapping[Site, Delta], family: str) -> dict[str, str]:
    """The entries that programs show of a LoRA (kohya's ``ss_`` and the model specification's), as text."""
    rank = str(max(delta.up.shape[1] for delta in deltas.values()))
    names = family_named(family).lora
    instead = f" with {about['target']}" if about["target"] else ""
    return {
        "ss_base_model_version": names.base,
        "ss_v2": str(names.is_v2),
        "ss_network_module": "networks.lora",
        "ss_network_dim": rank,
        "ss_network_alpha": rank,
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": f"{names.architecture}/lora",
        "modelspec.implementation": "activation-steering",
        "modelspec.title": f"{about['mode']} {about['concept']}{instead}, strength {about['strength']:g}",
    }


def measured_gap(
    model: DiffusionModel,
    entry: Entry,
    deltas: Mapping[Site, Delta],
    prompts: Sequence[str],
    steps: int = GAP_STEPS,
    progress: Progress = silent,
) -> float:
    """`steering.lora.bake.relative_gap` of the latents of some prompts, drawn plain, steered and with the LoRA."""

    def latents() -> Tensor:
        noise = model.noise(range(len(prompts)), model.size)
        return model.denoise(
            model.encode(prompts), model.encode([""]), noise, steps, family_named(model.family).guidance, progress
        )

    plain = latents()
    with steer(model, [entry]):
        steered = latents()
    with merged(model.unet, deltas):
        baked = latents()
    return relative_gap(*(torch.as_tensor(x).cpu() for x in (plain, steered, baked)))
