"""Narrow models of every family with random weights: all that tells the families apart, at a hundredth of the width."""

import json
from dataclasses import replace

import torch

from steering.families import Checkpoint, family_named
from steering.models.loading import SD15

from .ldm_layout import save_checkpoint

TEXT = {"intermediate_size": 32, "num_attention_heads": 2, "bos_token_id": 0, "eos_token_id": 2}
LAYERS = {"sd15": 3, "sd2": 23, "sdxl": 3}
"""Of the text encoders; SD 2's last layer, the 24th, is left out where diffusers holds it."""
UNETS = {
    "sd15": {"block_out_channels": (32, 32, 32, 32), "cross_attention_dim": 24, "attention_head_dim": 8},
    "sd2": {
        "block_out_channels": (32, 32, 32, 32),
        "cross_attention_dim": 28,
        "attention_head_dim": (2, 2, 2, 2),
        "use_linear_projection": True,
    },
    "sdxl": {
        "block_out_channels": (32, 32, 64),
        "cross_attention_dim": 40,
        "attention_head_dim": (2, 2, 4),
        "use_linear_projection": True,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 24 + 6 * 256,
    },
}
"""Settings of each family's UNet, narrow; SDXL keeps its 70 transformers."""
PREDICTS_V = ("sd2",)


def narrow_row(name, configurations):
    """The family's row with the narrow widths, and configurations of them in a folder."""
    unet, pooled = UNETS[name], 24 if name == "sdxl" else 0
    return replace(
        family_named(name),
        channels=unet["block_out_channels"][0],
        text_width=unet["cross_attention_dim"],
        pooled_width=pooled,
        size=64,
        checkpoint=replace(family_named(name).checkpoint or Checkpoint(""), folder=str(configurations)),
    )


def narrow_pipeline(name):
    """The parts as diffusers holds them."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import StableDiffusionXLPipeline
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    torch.manual_seed(0)
    words, text = str(SD15 / "tokenizer"), {**TEXT, "num_hidden_layers": LAYERS[name]}
    parts = {
        "vae": AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(4,) * 4,
            norm_num_groups=4,
            force_upcast=name == "sdxl",
            scaling_factor=0.13025 if name == "sdxl" else 0.18215,
        ),
        "unet": UNet2DConditionModel(sample_size=8, **UNETS[name]),
        "scheduler": EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type="v_prediction" if name in PREDICTS_V else "epsilon",
        ),
    }
    if name == "sdxl":
        second = CLIPTextConfig(hidden_size=24, projection_dim=24, hidden_act="gelu", **text)
        return StableDiffusionXLPipeline(
            text_encoder=CLIPTextModel(CLIPTextConfig(hidden_size=16, **text)),
            tokenizer=CLIPTokenizer.from_pretrained(words),
            text_encoder_2=CLIPTextModelWithProjection(second),
            tokenizer_2=CLIPTokenizer.from_pretrained(words, pad_token="!"),
            **parts,
        )
    act, pad = ("gelu", "!") if name == "sd2" else ("quick_gelu", "<|endoftext|>")
    encoder = CLIPTextConfig(hidden_size=UNETS[name]["cross_attention_dim"], hidden_act=act, **text)
    return StableDiffusionPipeline(
        text_encoder=CLIPTextModel(encoder),
        tokenizer=CLIPTokenizer.from_pretrained(words, pad_token=pad),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **parts,
    )


def write(name, place):
    """The model in both layouts: ``folder`` and ``one.safetensors``."""
    pipeline = narrow_pipeline(name)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.half().float()  # ComfyUI holds text encoders in float16 even on a CPU
    if name == "sd2":  # in files of SD 2 this is how one says that it predicts v
        pipeline.unet.up_blocks[3].attentions[2].transformer_blocks[0].norm1.bias.data.normal_()
    pipeline.save_pretrained(place / "folder")
    save_checkpoint(pipeline, place / "one.safetensors")


def changed(folder, part, **settings):
    """Write other settings into a configuration of a folder."""
    path = next((folder / part).glob("*config.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
