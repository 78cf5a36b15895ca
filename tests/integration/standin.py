"""A narrow SD 1.5 with random weights, which the stock Load Checkpoint loads under the real one's name.

ComfyUI reads widths from the file, but asks for 320 channels and a text of 768 before it calls a model
SD 1.5; one more entry in its list of known models, made here and gone with the process, is all it takes.
"""

import torch
from safetensors.torch import save_file

WIDTH = 64
CLIP_CONFIG = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 256}


def register():
    """Make ComfyUI recognise the narrow model."""
    import comfy.sd1_clip
    import comfy.supported_models as known
    import comfy.supported_models_base as base

    class NarrowClip(comfy.sd1_clip.SD1ClipModel):
        def __init__(self, device="cpu", dtype=None, model_options=None):
            options = {**(model_options or {}), "clip_l_model_config": CLIP_CONFIG}
            super().__init__(device=device, dtype=dtype, model_options=options)

    class Narrow(known.SD15):
        unet_config = {**known.SD15.unet_config, "context_dim": WIDTH, "model_channels": WIDTH}  # noqa: RUF012

        def clip_target(self, state_dict=None):
            return base.ClipTarget(comfy.sd1_clip.SD1Tokenizer, NarrowClip)

    known.models.append(Narrow)
    return Narrow, NarrowClip


def write(path, kinds):
    """A checkpoint file with UNet, text encoder and a tiny VAE."""
    import comfy.taesd.taesd

    narrow, clip = kinds
    config = {
        "image_size": 32, "use_checkpoint": False, "legacy": False, "use_spatial_transformer": True,
        "in_channels": 4, "out_channels": 4, "model_channels": WIDTH, "channel_mult": [1, 2, 4, 4],
        "num_res_blocks": [2, 2, 2, 2], "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
        "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0], "transformer_depth_middle": 1,
        "context_dim": WIDTH, "use_linear_in_transformer": False, "adm_in_channels": None,
        "use_temporal_attention": False,
    }  # fmt: skip
    torch.manual_seed(0)
    made = narrow(config)
    made.set_inference_dtype(torch.float32, None)
    unet = made.get_model({}, device="cpu").diffusion_model
    text = clip().clip_l.transformer
    vae = comfy.taesd.taesd.TAESD(latent_channels=4)
    state = {f"model.diffusion_model.{name}": value for name, value in filled(unet).items()}
    state |= {f"cond_stage_model.transformer.{name}": value for name, value in filled(text).items()}
    state |= {f"first_stage_model.{name}": value for name, value in filled(vae).items()}
    save_file(state, path)


def filled(module):
    """Random weights in float16 of a size that keeps signals alive; ComfyUI's layers start as raw memory."""
    state = {}
    for name, value in module.state_dict().items():
        if name in ("vae_scale", "vae_shift") or not value.is_floating_point():
            state[name] = value.contiguous()
        elif value.ndim == 1:
            state[name] = torch.full_like(value, float("norm" in name or name.endswith("0.weight"))).half()
        else:
            state[name] = (torch.randn_like(value.float()) / value[0].numel() ** 0.5).half()
    return state
