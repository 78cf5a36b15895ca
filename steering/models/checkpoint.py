"""What a single checkpoint file of the LDM layout holds, read from its header before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import SteeringError
from ..families import REFINER, V_PREDICTION_SPREAD, Family, family_of, titles
from ..files import KEY, Header, read_tensor

CHANNELS = 4
"""Of latents."""
UNET = "model.diffusion_model."
READS_TEXT = ".attn2.to_k.weight"
PARTS = {"VAE": ("first_stage_model.",), "text encoder": ("cond_stage_model.", "conditioner.")}
"""What a whole model holds besides its UNet -> how names of its tensors begin."""
MARKS = {
    f"{UNET}time_embed.cond_proj.weight": "is distilled to take the scale of guidance as an input, as LCM is",
    "edm_mean": "is of Playground v2.5's kind, with a noise schedule of its own",
    "edm_vpred.sigma_max": "has CosXL's noise schedule",
}
"""Name of a tensor -> why a file that has it would be drawn wrongly."""


@dataclass(frozen=True)
class Content:
    """What a checkpoint file holds.

    Attributes:
        family: of its UNet.
        prediction: what the UNet predicts.
        size: usual width and height in pixels.
        is_zero_terminal: whether its schedule ends in noise without signal.
    """

    family: Family
    prediction: str
    size: int
    is_zero_terminal: bool


def content_of(path: Path, header: Header) -> Content:
    """What a checkpoint holds.

    Raises:
        SteeringError: something else than a whole text-to-image model of a known family; the message says what.
    """
    name, shapes = path.name, header.shapes
    if KEY in header.metadata:
        raise SteeringError(f"{name} was written by Activation Steering and is no model; give the model it is for")
    if any("lora" in tensor for tensor in shapes):
        raise SteeringError(f"{name} is a LoRA, not a model; merge it into a model first")
    if not any(tensor.startswith(UNET) for tensor in shapes):
        raise SteeringError(f"{name} is no checkpoint of Stable Diffusion: it holds no {UNET}*")
    for tensor, why in MARKS.items():
        if tensor in shapes:
            raise SteeringError(f"{name} {why}; give a plain model of {titles()}")
    family = _family(name, header)
    for part, starts in PARTS.items():
        if not any(tensor.startswith(starts) for tensor in shapes):
            raise SteeringError(f"{name} holds no {part}; give a whole checkpoint, or a diffusers folder")
    predicts_v = "v_pred" in shapes or _spreads(path, header, family)
    assert family.checkpoint is not None
    size = family.size if predicts_v else family.checkpoint.size_of_noise_prediction or family.size
    return Content(family, "v_prediction" if predicts_v else "epsilon", size, "ztsnr" in shapes)


def _family(name: str, header: Header) -> Family:
    first = header.shapes.get(f"{UNET}input_blocks.0.0.weight", ())
    readers = [shape for tensor, shape in header.shapes.items() if tensor.startswith(UNET) and READS_TEXT in tensor]
    if len(first) < 2 or not readers or len(readers[0]) != 2:
        raise SteeringError(f"{name} is no checkpoint of {titles()}: its UNet has no cross-attention of theirs")
    channels, text_width = first[0], readers[0][1]
    check_input(name, first[1])
    family = family_of(channels, text_width)
    if family.checkpoint is None:
        raise SteeringError(foreign(name, channels, text_width))
    if len(readers) != family.transformers:
        raise SteeringError(
            f"{name} has {len(readers)} transformer layers where {family.title} has {family.transformers}, as the "
            "distilled SSD-1B, Vega and KOALA do; give its diffusers folder"
        )
    if (f"{UNET}label_emb.0.0.weight" in header.shapes) != bool(family.pooled_width):
        raise SteeringError(f"{name} takes other embeddings than prompts, as unCLIP models do; give a plain one")
    return family


def foreign(name: str, channels: int | None, text_width: int | None) -> str:
    """Why a UNet of these widths is refused."""
    if (channels, text_width) == REFINER:
        return f"{name} is the refiner of Stable Diffusion XL, which only finishes pictures; give the base model"
    return f"{name} has text width {text_width}, which is none of {titles()}"


def check_input(name: str, channels: int) -> None:
    """Refuse a UNet that takes more than latents."""
    if channels != CHANNELS:
        raise SteeringError(
            f"{name} takes {channels} channels, as models for inpainting (9) or for edits (8) do; give a text-to-image "
            f"model of {CHANNELS} channels"
        )


def _spreads(path: Path, header: Header, family: Family) -> bool:
    assert family.checkpoint is not None
    mark = f"{UNET}{family.checkpoint.v_prediction_mark}"
    if not family.checkpoint.v_prediction_mark or mark not in header.shapes:
        return False
    return bool(read_tensor(path, mark).float().std(correction=0) > V_PREDICTION_SPREAD)
