"""What a graph's MODEL is: its family, and a hash of its weights."""

from __future__ import annotations

import comfy.utils
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..steering import families
from ..steering.models.sampling import weights_digest


def family_of(model: ModelPatcher) -> str:
    """Name of the family whose vectors fit a model."""
    config = model.model.model_config.unet_config
    return families.family_of(config.get("model_channels"), config.get("context_dim")).name


def weights_hash(model: ModelPatcher) -> str:
    """`weights_digest` of a model's UNet as it was loaded, under its diffusers names."""
    backup = model.backup  # what the weights were before patches went in
    state = model.model.diffusion_model.state_dict()
    names = comfy.utils.unet_to_diffusers(model.model.model_config.unet_config)

    def original(name: str) -> Tensor:
        kept = backup.get(f"diffusion_model.{name}")
        return state[name] if kept is None else kept.weight

    # ComfyUI names the embedding of sizes twice, once as diffusers has it.
    known = {theirs: ours for theirs, ours in names.items() if not theirs.startswith("class_embedding.")}
    return weights_digest({theirs: original(ours) for theirs, ours in known.items() if ours in state})
