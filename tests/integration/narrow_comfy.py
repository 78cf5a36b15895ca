"""Narrow models of SD 1.5, 2 and XL with random weights, which the stock Load Checkpoint takes for the real ones.

Files of `tests.models.narrow`, so the command line loads the same ones. ComfyUI reads widths from a file but knows the
families by them; one entry more in its list of known models, gone with the process, is all it takes. Its VAEs have one
width, so a tiny one takes the place of ours.
"""

import torch
from safetensors.torch import load_file, save_file

from ..models.narrow import LAYERS, TEXT, UNETS, write


def register(name):
    """Make ComfyUI recognise the narrow model of a family."""
    import comfy.sd1_clip
    import comfy.sdxl_clip
    import comfy.supported_models as known
    import comfy.supported_models_base as base
    import comfy.text_encoders.sd2_clip as sd2_clip

    def config(width, layers):
        return {
            **{key: TEXT[key] for key in ("intermediate_size", "num_attention_heads")},
            "hidden_size": width,
            "num_hidden_layers": layers,
        }

    sizes = {
        "sd15": {"clip_l_model_config": config(UNETS["sd15"]["cross_attention_dim"], LAYERS["sd15"])},
        "sdxl": {"clip_l_model_config": config(16, LAYERS["sdxl"]), "clip_g_model_config": config(24, LAYERS["sdxl"])},
        "sd2": {"clip_h_model_config": config(UNETS["sd2"]["cross_attention_dim"], LAYERS["sd2"] + 1)},
    }[name]
    words, encoder = {
        "sd15": (comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel),
        "sdxl": (comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel),
        "sd2": (sd2_clip.SD2Tokenizer, sd2_clip.SD2ClipModel),
    }[name]
    whole = {"sd15": known.SD15, "sdxl": known.SDXL, "sd2": known.SD20}[name]
    heads = {} if name == "sd15" else {"num_head_channels": 16}  # of SD 1.5 there are eight, however wide

    class NarrowClip(encoder):
        def __init__(self, device="cpu", dtype=None, model_options=None):
            super().__init__(device=device, dtype=dtype, model_options={**(model_options or {}), **sizes})

    class Narrow(whole):
        unet_config = {  # noqa: RUF012
            **whole.unet_config,
            "model_channels": UNETS[name]["block_out_channels"][0],
            "context_dim": UNETS[name]["cross_attention_dim"],
            **({"adm_in_channels": UNETS[name]["projection_class_embeddings_input_dim"]} if name == "sdxl" else {}),
        }
        unet_extra_config = {**whole.unet_extra_config, **heads}  # noqa: RUF012

        def clip_target(self, state_dict=None):
            return base.ClipTarget(words, NarrowClip)

    known.models.append(Narrow)


def write_for_comfy(name, place, path):
    """Write the model for the command line into a folder, and the same with a tiny VAE as a checkpoint."""
    import comfy.taesd.taesd

    write(name, place)
    state = load_file(place / "one.safetensors")
    state = {key: value for key, value in state.items() if not key.startswith("first_stage_model.")}
    tiny = comfy.taesd.taesd.TAESD(latent_channels=4).state_dict()
    tiny = {f"first_stage_model.{key}": torch.randn_like(value) * 0.1 for key, value in tiny.items()}
    save_file({key: value.contiguous() for key, value in (state | tiny).items()}, path)
