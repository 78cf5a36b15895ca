"""A LoRA's file, and how far an approximated one is from what it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .bake import FORMATS, Delta, merged, relative_gap
from .capture import Progress, silent, usual
from .diffusion import DiffusionModel
from .files import write_tensors
from .sites import Site
from .steer import Entry, steer
from .version import __version__

KIND, VERSION = "lora", 1


def save_lora(
    path: Path,
    format_: str,
    entry: Entry,
    deltas: Mapping[Site, Delta],
    weights: str,
    family: str,
    inexact: Sequence[str] = (),
    gap: float | None = None,
) -> dict[str, Any]:
    """Write a LoRA, whole or not at all; returns what its header says.

    Args:
        path: the file.
        format_: a name of `steering.bake.FORMATS`.
        entry: what was asked for.
        deltas: what came of it (`steering.bake.bake`).
        weights: hash of the UNet's weights that it was made from.
        family: the model's.
        inexact: what had to be approximated; nothing where it is exact.
        gap: `steering.bake.relative_gap` where something was.
    """
    about = {
        "concept": str(entry.vector.metadata.get("concept", "")),
        "mode": entry.mode,
        "target": None if entry.target is None else str(entry.target.metadata.get("concept", "")),
        "strength": entry.strength,
        "reference": entry.settings.reference,
        "format": format_,
        "vector": entry.vector.digest(),
        "weights": weights,
        "sites": [str(site) for site in deltas],
        "approximated": list(inexact),
        "gap": gap,
        "package": __version__,
    }
    write_tensors(path, FORMATS[format_](deltas), KIND, VERSION, about, model_card(about, deltas, family))
    return about


def model_card(about: Mapping[str, Any], deltas: Mapping[Site, Delta], family: str) -> dict[str, str]:
    """The entries that programs show of a LoRA (kohya's ``ss_`` and the model specification's), as text."""
    rank = str(max(delta.up.shape[1] for delta in deltas.values()))
    known = {"sd15": ("sd_v1-5", "stable-diffusion-v1/lora")}
    base, architecture = known.get(family, (family, f"{family}/lora"))
    instead = f" with {about['target']}" if about["target"] else ""
    return {
        "ss_base_model_version": base,
        "ss_network_module": "networks.lora",
        "ss_network_dim": rank,
        "ss_network_alpha": rank,
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": architecture,
        "modelspec.implementation": "activation-steering",
        "modelspec.title": f"{about['mode']} {about['concept']}{instead}, strength {about['strength']:g}",
    }


def measured_gap(
    model: DiffusionModel,
    entry: Entry,
    deltas: Mapping[Site, Delta],
    prompts: Sequence[str],
    steps: int,
    progress: Progress = silent,
) -> float:
    """`steering.bake.relative_gap` of the latents of some prompts, drawn plain, steered and with the LoRA."""

    def latents() -> Tensor:
        noise = model.noise(range(len(prompts)), model.size)
        return model.denoise(
            model.encode(prompts), model.encode([""]), noise, steps, usual(model.family).guidance, progress
        )

    plain = latents()
    with steer(model, [entry]):
        steered = latents()
    with merged(model.unet, deltas):
        baked = latents()
    return relative_gap(*(torch.as_tensor(x).cpu() for x in (plain, steered, baked)))
