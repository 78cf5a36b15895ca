"""How an intervention acts, apart from its strength, and the named ways of it with their usual strengths."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from ..errors import SteeringError

Mode = Literal["suppress", "replace", "add"]
"""What is done, see `steering.interventions.operators.INTERVENTIONS`."""
Reference = Literal["zero", "negative"]
Gate = Literal["all", "positive", "threshold", "prompt"]
Half = Literal["cond", "both"]
REFERENCES, GATES, HALVES = get_args(Reference), get_args(Gate), get_args(Half)


@dataclass(frozen=True)
class EditSettings:
    """How an intervention acts, without its strength.

    Attributes:
        reference: ``zero``, or ``negative`` (the negative mean's coordinate).
        gate: ``all`` tokens, ``positive`` ones only, those above the ``threshold``, or those of a ``prompt``
            that holds the concept.
        keep_norm: whether every token keeps its length.
        half: steer the ``cond`` rows only, or ``both`` halves of classifier-free guidance.
    """

    reference: Reference = "negative"
    gate: Gate = "positive"
    keep_norm: bool = False
    half: Half = "cond"

    def __post_init__(self) -> None:
        for name, value, legal in (
            ("reference", self.reference, REFERENCES),
            ("gate", self.gate, GATES),
            ("half", self.half, HALVES),
        ):
            if value not in legal:
                raise SteeringError(f"{name} {value!r} is not one of {', '.join(legal)}")


@dataclass(frozen=True)
class Preset:
    """Settings with the strength usually used with them."""

    settings: EditSettings
    default_strength: float


PRESETS = MappingProxyType(
    {
        # As the source study steers.
        "projection": Preset(EditSettings("zero", "all", False, "cond"), 2.5),
        # As CASteer does (arXiv 2503.09630).
        "casteer": Preset(EditSettings("zero", "positive", False, "cond"), 2.0),
        # Down to the mean of the prompts without the concept, and no farther.
        "precise": Preset(EditSettings("negative", "positive", False, "cond"), 1.0),
        # Only tokens above what 95 % of the tokens of prompts without the concept reach.
        "selective": Preset(EditSettings("negative", "threshold", False, "cond"), 3.0),
        # What a LoRA can hold.
        "lora": Preset(EditSettings("negative", "all", False, "both"), 1.0),
        # For affine maps, whose rows read where a token is relative to the negative mean.
        "affine": Preset(EditSettings("negative", "all", False, "cond"), 1.0),
        # For maps of the text embedding: nothing at all in prompts that do not hold the concept.
        "conditional": Preset(EditSettings("negative", "prompt", False, "cond"), 1.0),
    }
)
"""Edit settings by name, with their usual strengths."""


def get_preset(name: str) -> Preset:
    """The preset of a name; raises SteeringError naming the legal ones."""
    if name not in PRESETS:
        raise SteeringError(f"preset {name!r} is not one of {', '.join(PRESETS)}")
    return PRESETS[name]
