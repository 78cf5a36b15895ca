"""Families of models: all that differs from one kind of Stable Diffusion to the next, one row each.

A family's vectors, captures and LoRAs fit each other. Everything else in this package asks these rows, or the model
itself (its sites and widths), and never for a family by name. Another family of U-Nets is another row, and a folder
of configurations in ``models`` for single checkpoint files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Checkpoint:
    """How a family lies in a single checkpoint file of the LDM layout.

    Attributes:
        folder: below ``models``: configurations in diffusers' form.
        v_prediction_mark: tensor of the UNet whose numbers spread wider than `V_PREDICTION_SPREAD` where the model
            predicts v, for a family of both kinds whose files do not say which; empty for others.
        size_of_noise_prediction: width and height in pixels of those of the family that predict noise, where the
            usual one is that of those that predict v.
    """

    folder: str
    v_prediction_mark: str = ""
    size_of_noise_prediction: int = 0


V_PREDICTION_SPREAD = 0.09
"""Standard deviation that tells the two kinds of SD 2 apart; the threshold is ComfyUI's (`supported_models.SD20`)."""


@dataclass(frozen=True)
class LoraNames:
    """What programs look for in a LoRA of a family.

    Attributes:
        layout: whose module paths kohya's names are made of: ``diffusers`` or ``ldm``.
        base: kohya's ``ss_base_model_version``.
        architecture: that of the Stability AI model specification, less ``/lora``.
        is_v2: kohya's ``ss_v2``.
    """

    layout: str
    base: str
    architecture: str
    is_v2: bool = False


@dataclass(frozen=True)
class Family:
    """What is usual for a family of models, and how one is known.

    Attributes:
        name: as files and messages have it.
        title: as its makers call it.
        channels: of the UNet's first level; with ``text_width`` it tells the families apart.
        text_width: C of the text embedding, of all text encoders side by side.
        text_layers: for each text encoder which layer the UNet reads: ``last``, after the final norm, or
            ``penultimate``, before any.
        pooled_width: P of the last text encoder's pooled embedding, which the UNet is told beside the picture's size
            and crop; 0 where it is told neither.
        transformers: transformer layers of the whole UNet, of three sites each.
        resnets: residual blocks, of one site each.
        size: usual width and height in pixels.
        guidance: usual scale of classifier-free guidance.
        batch: pictures computed together, in what 8 GB hold (SDXL: 12 GB).
        concepts: folder of its built-in concepts.
        lora: what programs look for in its LoRAs.
        checkpoint: how it lies in a single file; None where it does not.
        is_embedded: whether this package carries the model, whose world has few words and a judge and CLIP of its own.
    """

    name: str
    title: str
    channels: int
    text_width: int
    text_layers: tuple[str, ...]
    pooled_width: int
    transformers: int
    resnets: int
    size: int
    guidance: float
    batch: int
    concepts: str
    lora: LoraNames
    checkpoint: Checkpoint | None = None
    is_embedded: bool = False


FAMILIES = (
    Family(
        name="pocket",
        title="the pocket model",
        channels=32,
        text_width=64,
        text_layers=("last",),
        pooled_width=0,
        transformers=16,
        resnets=22,
        size=128,
        guidance=3.0,
        batch=16,
        concepts="pocket",
        lora=LoraNames("diffusers", "pocket", "pocket"),
        is_embedded=True,
    ),
    Family(
        name="sd15",
        title="Stable Diffusion 1",
        channels=320,
        text_width=768,
        text_layers=("last",),
        pooled_width=0,
        transformers=16,
        resnets=22,
        size=512,
        guidance=7.5,
        batch=2,
        concepts="sd15",
        lora=LoraNames("diffusers", "sd_v1-5", "stable-diffusion-v1"),
        checkpoint=Checkpoint("sd15"),
    ),
    Family(
        name="sd2",
        title="Stable Diffusion 2",
        channels=320,
        text_width=1024,
        text_layers=("last",),  # of an encoder whose last layer was left out, as diffusers has it
        pooled_width=0,
        transformers=16,
        resnets=22,
        size=768,
        guidance=7.5,
        batch=1,
        concepts="sd15",
        lora=LoraNames("diffusers", "sd_v2", "stable-diffusion-v2", is_v2=True),
        checkpoint=Checkpoint("sd2", "output_blocks.11.1.transformer_blocks.0.norm1.bias", 512),
    ),
    Family(
        name="sdxl",
        title="Stable Diffusion XL",
        channels=320,
        text_width=2048,
        text_layers=("penultimate", "penultimate"),
        pooled_width=1280,
        transformers=70,
        resnets=17,
        size=1024,
        guidance=5.0,
        batch=1,
        concepts="sdxl",
        lora=LoraNames("ldm", "sdxl_base_v1-0", "stable-diffusion-xl-v1-base"),
        checkpoint=Checkpoint("sdxl"),
    ),
)
"""Every family that is known."""

REFINER = (384, 1280)
"""(channels of the UNet's first level, width of the text) of SDXL's refiner, which draws nothing from the start."""


def family_named(name: str) -> Family:
    """The row of a name; Stable Diffusion 1's under the other name where there is none."""
    known = {family.name: family for family in FAMILIES}
    return known.get(name) or replace(known["sd15"], name=name, checkpoint=None)


def family_of(channels: int | None, text_width: int | None) -> Family:
    """The family of a UNet by two of its widths; unknown ones have Stable Diffusion 1's row, named by the widths."""
    for family in FAMILIES:
        if (family.channels, family.text_width) == (channels, text_width):
            return family
    return family_named(f"unet-{channels}-{text_width}")


def titles() -> str:
    """The families whose models are loaded from files, with their widths of text, for messages."""
    return ", ".join(f"{family.title} ({family.text_width})" for family in FAMILIES if family.checkpoint)
