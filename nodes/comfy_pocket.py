"""The embedded model as ComfyUI's own objects: MODEL, CLIP and VAE.

Nothing of ComfyUI is changed or registered: its classes are given the pocket's widths, and the
patch codec stands where a VAE would.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models
import comfy.supported_models_base
import comfy.utils
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..steering.pocket import architecture
from ..steering.pocket.codec import CHANNELS, PATCH, PatchCodec

HEAD_WIDTH = architecture.UNET["block_out_channels"][0] // architecture.UNET["attention_head_dim"][0]
"""Channels of an attention head at every level of the pocket UNet."""


def load_pocket() -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP, comfy.sd.VAE]:
    """MODEL, CLIP and VAE of the embedded model."""
    codec = PatchCodec.load(architecture.WEIGHTS / "vae" / "codec.safetensors")
    return _load_model(codec), _load_clip(), PocketVAE(codec)


class PocketLatents(comfy.latent_formats.LatentFormat):
    """24 channels of patch coefficients; previews show each patch's mean colour."""

    latent_channels = CHANNELS

    def __init__(self, codec: PatchCodec | None = None) -> None:
        super().__init__()
        if codec is not None:
            # A patch's mean colour is linear in its coefficients; previews are in [-1, 1].
            colours = codec.basis.view(CHANNELS, 3, PATCH * PATCH).mean(2) * codec.scale[:, None]
            self.latent_rgb_factors = (2 * colours).tolist()
            self.latent_rgb_factors_bias = (2 * codec.mean.view(3, PATCH * PATCH).mean(1) - 1).tolist()


class _PocketSampling(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.X0):
    """Stable Diffusion's noise schedule around a network that predicts the clean latents."""


class _PocketBase(comfy.model_base.BaseModel):
    def __init__(self, model_config: comfy.supported_models_base.BASE, device: torch.device | None = None) -> None:
        super().__init__(model_config, comfy.model_base.ModelType.EPS, device)
        self.model_sampling = _PocketSampling(model_config)


class _PocketConfig(comfy.supported_models.SD15):
    """SD 1.5's configuration at the pocket's widths."""

    unet_extra_config = {"num_heads": -1, "num_head_channels": HEAD_WIDTH}  # noqa: RUF012 (ComfyUI's form)
    latent_format = PocketLatents

    def inpaint_model(self) -> bool:
        """False: its 24 input channels are the latents' own, no mask among them."""
        return False

    def get_model(self, state_dict: dict, prefix: str = "", device: torch.device | None = None) -> _PocketBase:
        """The model without weights."""
        return _PocketBase(self, device)


def _unet_config() -> dict:
    widths = architecture.UNET["block_out_channels"]
    layers = architecture.UNET["layers_per_block"]
    return {
        "image_size": 32,
        "use_checkpoint": False,
        "legacy": False,
        "use_spatial_transformer": True,
        "in_channels": CHANNELS,
        "out_channels": CHANNELS,
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


def _load_model(codec: PatchCodec) -> comfy.model_patcher.ModelPatcher:
    management = comfy.model_management
    config = _PocketConfig(_unet_config())
    config.latent_format = PocketLatents(codec)
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


class _CodecModule(nn.Module):
    """The codec in the place of ``first_stage_model``."""

    def __init__(self, codec: PatchCodec) -> None:
        super().__init__()
        for name, value in vars(codec).items():
            self.register_buffer(name, value)

    def codec(self, device: torch.device) -> PatchCodec:
        # Where memory is short ComfyUI loads layer by layer, and buffers without a layer stay behind.
        return PatchCodec(*(value.to(device) for value in (self.basis, self.mean, self.scale)))

    def encode(self, images: Tensor) -> Tensor:
        return self.codec(images.device).encode(images)

    def decode(self, latents: Tensor, **_options: object) -> Tensor:
        return self.codec(latents.device).decode(latents)


class PocketVAE(comfy.sd.VAE):
    """The patch codec with a VAE's methods: encode, decode, and both in tiles."""

    def __init__(self, codec: PatchCodec) -> None:
        with _quiet():  # without weights the base class sets its defaults, complains, and returns
            super().__init__(sd={})
        management = comfy.model_management
        self.first_stage_model = _CodecModule(codec).eval()
        self.latent_channels, self.vae_dtype = CHANNELS, torch.float32
        self.process_input = self.process_output = lambda image: image
        self.memory_used_encode = self.memory_used_decode = lambda shape, dtype: 4096 * shape[-1] * shape[-2]
        self.device, self.output_device = management.vae_device(), management.intermediate_device()
        self.patcher = comfy.model_patcher.ModelPatcher(
            self.first_stage_model, load_device=self.device, offload_device=management.vae_offload_device()
        )


@contextmanager
def _quiet():
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
