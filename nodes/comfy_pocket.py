"""The embedded model as ComfyUI's own objects: MODEL, CLIP and VAE.

Nothing of ComfyUI is changed or registered: its classes for SD 1.5 are given the pocket's widths.
"""

from __future__ import annotations

import json

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models
import comfy.supported_models_base
import comfy.utils
import torch
from safetensors.torch import load_file
from torch import nn

from ..steering.files import read_text
from ..steering.pocket import architecture

HEAD_WIDTH = architecture.UNET["block_out_channels"][0] // architecture.UNET["attention_head_dim"][0]
"""Channels of an attention head at every level of the pocket UNet."""


def load_pocket() -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP, comfy.sd.VAE]:
    """MODEL, CLIP and VAE of the embedded model."""
    return _load_model(), _load_clip(), _load_vae()


class _PocketConfig(comfy.supported_models.SD15):
    """SD 1.5's configuration at the pocket's widths."""

    unet_extra_config = {"num_heads": -1, "num_head_channels": HEAD_WIDTH}  # noqa: RUF012 (ComfyUI's form)

    def model_type(self, state_dict: dict, prefix: str = "") -> comfy.model_base.ModelType:
        """What the UNet predicts: v."""
        return comfy.model_base.ModelType.V_PREDICTION


def _latent_format() -> comfy.latent_formats.SD15:
    """SD 1.5's, with the pocket VAE's scale and the colours that its latents stand for in previews."""
    config, preview = (
        json.loads(read_text(architecture.WEIGHTS / "vae" / f"{name}.json")) for name in ("config", "preview")
    )
    made = comfy.latent_formats.SD15(scale_factor=config["scaling_factor"])
    made.latent_rgb_factors, made.latent_rgb_factors_bias = preview["colours"], preview["bias"]
    made.taesd_decoder_name = None  # that of another VAE
    return made


def _unet_config() -> dict:
    widths = architecture.UNET["block_out_channels"]
    layers = architecture.UNET["layers_per_block"]
    return {
        "image_size": 32,
        "use_checkpoint": False,
        "legacy": False,
        "use_spatial_transformer": True,
        "in_channels": architecture.CHANNELS,
        "out_channels": architecture.CHANNELS,
        "model_channels": widths[0],
        "channel_mult": [width // widths[0] for width in widths],
        "num_res_blocks": [layers] * len(widths),
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
        "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        "transformer_depth_middle": 1,
        "context_dim": architecture.CONTEXT_WIDTH,
        "use_linear_in_transformer": False,
        "adm_in_channels": None,
        "use_temporal_attention": False,
    }


def _load_model() -> comfy.model_patcher.ModelPatcher:
    management = comfy.model_management
    config = _PocketConfig(_unet_config())
    config.latent_format = _latent_format()
    stored = load_file(architecture.WEIGHTS / "unet" / "diffusion_pytorch_model.safetensors")
    names = comfy.utils.unet_to_diffusers(config.unet_config)
    state = {names[name]: value for name, value in stored.items()}
    parameters = sum(value.numel() for value in state.values())
    device = management.get_torch_device()
    dtype = management.unet_dtype(model_params=parameters, supported_dtypes=config.supported_inference_dtypes)
    config.set_inference_dtype(dtype, management.unet_manual_cast(dtype, device, config.supported_inference_dtypes))
    offload = management.unet_offload_device()
    model = config.get_model({}, device=management.unet_inital_load_device(parameters, dtype))
    model.diffusion_model.load_state_dict(state)
    return comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=offload)


def _load_clip() -> comfy.sd.CLIP:
    settings = architecture.TEXT_ENCODER
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    # Small enough for float32 anywhere, so that its embeddings are those of the command line.
    options = {"clip_l_model_config": {name: settings[name] for name in names}, "dtype": torch.float32}
    target = comfy.supported_models_base.ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel)
    stored = load_file(architecture.WEIGHTS / "text_encoder" / "model.safetensors")
    clip = comfy.sd.CLIP(target, parameters=sum(value.numel() for value in stored.values()), model_options=options)
    state = {f"clip_l.transformer.text_model.{name.removeprefix('text_model.')}": v for name, v in stored.items()}
    missing, unexpected = clip.load_sd(state, full_model=True)
    absent = [name for name in missing if not name.endswith(("logit_scale", "text_projection.weight"))]
    if absent or unexpected:
        raise RuntimeError(f"the embedded text encoder does not fit this ComfyUI: {absent + list(unexpected)}")
    return clip


def _load_vae() -> comfy.sd.VAE:
    settings = architecture.VAE
    widths = settings["block_out_channels"]
    shape = {
        "double_z": True,
        "z_channels": settings["latent_channels"],
        "resolution": settings["sample_size"],
        "in_channels": 3,
        "out_ch": 3,
        "ch": widths[0],
        "ch_mult": [width // widths[0] for width in widths],
        "num_res_blocks": settings["layers_per_block"],
        "attn_resolutions": [],
        "dropout": 0.0,
    }
    state = load_file(architecture.WEIGHTS / "vae" / "diffusion_pytorch_model.safetensors")
    made = comfy.sd.VAE(sd=state, config={"params": {"ddconfig": shape, "embed_dim": shape["z_channels"]}})
    for module in made.first_stage_model.modules():
        if isinstance(module, nn.GroupNorm):  # 32 groups in Stable Diffusion, too narrow for these widths
            module.num_groups = settings["norm_num_groups"]
    return made
