"""Weights of a graph's MODEL, and its LoRAs: what Export LoRA needs of ComfyUI."""

from __future__ import annotations

from collections.abc import Sequence

import comfy.lora
import comfy.sd
import torch
from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from torch import Tensor

from ..steering.errors import SteeringError
from ..steering.families import family_named
from ..steering.interventions.entry import Entry
from ..steering.lora.bake import LINEAR, Layer, relative_gap
from ..steering.lora.export import GAP_STEPS, gap_prompt
from ..steering.models.sampling import Sampling
from ..steering.sites import Site
from .comfy_capture import GraphModel
from .comfy_steering import with_entry


def layers_of(model: ModelPatcher, sites: Sequence[Site]) -> dict[Site, Layer]:
    """Weight and bias of the last linear layer of some sites, as the MODEL has them with its LoRAs.

    Raises:
        SteeringError: the model lacks a site, or its layer a bias, which would hold the reference.
    """
    patches = model.get_key_patches("diffusion_model.")
    layers = {}
    for site in sites:
        names = [f"diffusion_model.{site.ldm_path}.{LINEAR[site.kind]}.{part}" for part in ("weight", "bias")]
        if names[0] not in patches:
            raise SteeringError(f"this model lacks {site}; use a vector made for this model")
        if names[1] not in patches:
            raise SteeringError(f"{site} ends in a linear layer without bias; leave it out of the vector")
        weight, bias = (_patched(patches[name], name) for name in names)
        layers[site] = weight, bias
    return layers


def _patched(stack: list, name: str) -> Tensor:
    """A weight with everything that the graph put on it, float32 on the CPU."""
    (weight, convert), *patches = stack
    plain = convert(weight.detach().to("cpu", torch.float32, copy=True), inplace=True)
    return comfy.lora.calculate_weight(patches, plain, name) if patches else plain


def gap_of(model: ModelPatcher, clip: CLIP, entry: Entry, lora: dict[str, Tensor]) -> float:
    """`relative_gap` of a picture of the vector's concept: plain, steered, and with the LoRA."""
    graph = GraphModel(model, clip)
    levels = graph.sigmas(GAP_STEPS).tolist()
    sampling = Sampling(GAP_STEPS, family_named(graph.family).guidance, 0, graph.size, 1)
    schedule = torch.tensor([*levels, 0.0])
    models = model, with_entry(model, entry), comfy.sd.load_lora_for_models(model, None, lora, 1.0, 0.0)[0]
    return relative_gap(
        *(graph.sample(some, [gap_prompt(entry)], [0], sampling, schedule).float().cpu() for some in models)
    )
