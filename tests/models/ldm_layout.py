"""A diffusers pipeline as the single file of the LDM layout that would hold it: the names that checkpoints have."""

import re

import torch
from safetensors.torch import save_file

UNET_RULES = (
    (r"time_embedding\.linear_1", "time_embed.0"),
    (r"time_embedding\.linear_2", "time_embed.2"),
    (r"conv_in\.", "input_blocks.0.0."),
    (r"conv_norm_out\.", "out.0."),
    (r"conv_out\.", "out.2."),
    (r"down_blocks\.(\d)\.resnets\.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.0"),
    (r"down_blocks\.(\d)\.attentions\.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.1"),
    (r"down_blocks\.(\d)\.downsamplers\.0\.conv", lambda m: f"input_blocks.{3 * int(m[1]) + 3}.0.op"),
    (r"mid_block\.resnets\.(\d)", lambda m: f"middle_block.{2 * int(m[1])}"),
    (r"mid_block\.attentions\.0", "middle_block.1"),
    (r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.0"),
    (r"up_blocks\.(\d)\.attentions\.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.1"),
    (r"add_embedding\.linear_1", "label_emb.0.0"),
    (r"add_embedding\.linear_2", "label_emb.0.2"),
)
RESNET_PARTS = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}


def ldm_unet_name(name, with_attention):
    """The name of a UNet's tensor; ``with_attention`` says for each level of the decoder whether it has any."""
    for pattern, replacement in UNET_RULES:
        new = re.sub(f"^{pattern}", replacement, name)
        if new != name:
            break
    upsampler = re.match(r"up_blocks\.(\d)\.upsamplers\.0", name)
    if upsampler:
        level = int(upsampler[1])
        new = name.replace(upsampler[0], f"output_blocks.{3 * level + 2}.{2 if with_attention[level] else 1}")
    if "resnets" in name:
        head, part, kind = new.rsplit(".", 2)
        new = f"{head}.{RESNET_PARTS[part]}.{kind}"
    return f"model.diffusion_model.{new}"


def ldm_vae_name(name):
    name = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.(\d)", r"encoder.down.\1.block.\2", name)
    name = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample", name)
    name = re.sub(
        r"decoder\.up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"decoder.up.{3 - int(m[1])}.block.{m[2]}", name
    )
    name = re.sub(r"decoder\.up_blocks\.(\d)\.upsamplers\.0", lambda m: f"decoder.up.{3 - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("conv_norm_out", "norm_out")
    for ours, theirs in (("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
        name = name.replace(f"attn_1.{ours}.", f"attn_1.{theirs}.")
    return "first_stage_model." + name.replace("conv_shortcut", "nin_shortcut")


OPEN_CLIP = (
    ("embeddings.token_embedding.weight", "token_embedding.weight"),
    ("embeddings.position_embedding.weight", "positional_embedding"),
    ("final_layer_norm", "ln_final"),
    ("encoder.layers", "transformer.resblocks"),
    ("layer_norm", "ln_"),
    ("self_attn.out_proj", "attn.out_proj"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
)


def open_clip(encoder, start):
    """A text encoder of transformers under open_clip's names: queries, keys and values in one matrix."""
    state = {name.removeprefix("text_model."): value for name, value in encoder.state_dict().items()}
    made = {}
    for name, value in state.items():
        if name == "text_projection.weight":
            made["text_projection"] = value.T
        elif ".q_proj." in name:
            parts = [state[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
            name = name.replace("self_attn.q_proj.", "attn.in_proj_")
            made[renamed(name, OPEN_CLIP)] = torch.cat(parts)
        elif ".k_proj." not in name and ".v_proj." not in name and "position_ids" not in name:
            made[renamed(name, OPEN_CLIP)] = value
    return {start + name: value for name, value in made.items()}


def renamed(name, rules):
    for theirs, ours in rules:
        name = name.replace(theirs, ours)
    return name


def openai(encoder, start):
    """A text encoder under OpenAI's names, which are transformers'."""
    stems = {name.removeprefix("text_model."): value for name, value in encoder.state_dict().items()}
    return {f"{start}text_model.{name}": value for name, value in stems.items()}


def save_checkpoint(pipeline, path, more=()):
    """Write a pipeline as a single file; ``more`` are names of empty tensors that mark a kind of model."""
    with_attention = ["CrossAttn" in block for block in pipeline.unet.config.up_block_types]
    state = {ldm_unet_name(name, with_attention): value for name, value in pipeline.unet.state_dict().items()}
    for name, value in pipeline.vae.state_dict().items():
        linear = "attentions" in name and value.ndim == 2
        state[ldm_vae_name(name)] = value[:, :, None, None] if linear else value
    if hasattr(pipeline, "text_encoder_2"):
        state |= openai(pipeline.text_encoder, "conditioner.embedders.0.transformer.")
        state |= open_clip(pipeline.text_encoder_2, "conditioner.embedders.1.model.")
    elif pipeline.text_encoder.config.hidden_act == "gelu":
        state |= open_clip(pipeline.text_encoder, "cond_stage_model.model.")
        # The layer that files have and nobody reads.
        last, unread = (f"cond_stage_model.model.transformer.resblocks.{number}." for number in (22, 23))
        state |= {name.replace(last, unread): value.clone() for name, value in state.items() if name.startswith(last)}
    else:
        state |= openai(pipeline.text_encoder, "cond_stage_model.transformer.")
    state |= {name: torch.zeros(0) for name in more}
    save_file({name: value.contiguous() for name, value in state.items()}, path)
