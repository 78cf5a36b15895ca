"""What the pocket model is made of: SD 1.5's topology at a tenth of its width.

Same 70 sites under the same names, widths 32, 64, 128, 128 instead of 320, 640, 1280, 1280; four latent
channels of an `AutoencoderKL`; the same noise schedule. It predicts v instead of the noise, which a
narrow network learns faster. Attention heads are 16 wide (2, 4, 8, 8 of them), where SD 1.5 always has
8: heads of 4 channels would cost half of the computing time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .backgrounds import SIZE

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel

WEIGHTS = Path(__file__).parent / "weights"
"""The trained weights, a diffusers folder with the evaluators' beside it."""
CONTEXT_WIDTH = 64
CHANNELS = 4
"""Of the latents."""

UNET: dict[str, Any] = {
    "sample_size": SIZE // 8,
    "in_channels": CHANNELS,
    "out_channels": CHANNELS,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "block_out_channels": (32, 64, 128, 128),
    "layers_per_block": 2,
    "cross_attention_dim": CONTEXT_WIDTH,
    "attention_head_dim": (2, 4, 8, 8),  # diffusers' name for the number of heads
}
VAE: dict[str, Any] = {
    "sample_size": SIZE,
    "latent_channels": CHANNELS,
    "block_out_channels": (32, 32, 64, 64),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
    # Wide groups: a norm over one or two channels would take the colour of the whole picture away.
    "norm_num_groups": 4,
}
TEXT_ENCODER: dict[str, Any] = {
    "vocab_size": 49408,
    "hidden_size": CONTEXT_WIDTH,
    "intermediate_size": 4 * CONTEXT_WIDTH,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 77,
    "projection_dim": CONTEXT_WIDTH,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "pad_token_id": 49407,
}
SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "timestep_spacing": "linspace",
}


def new_unet() -> UNet2DConditionModel:
    """An untrained pocket UNet (8.6 million parameters)."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return UNet2DConditionModel(**UNET)


def new_vae() -> Any:
    """An untrained `AutoencoderKL` at the pocket's widths (1.0 million parameters)."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return AutoencoderKL(**VAE)


def new_text_encoder() -> CLIPTextModel:
    """An untrained pocket text encoder over CLIP's vocabulary (3.3 million, nearly all embedding)."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER))
