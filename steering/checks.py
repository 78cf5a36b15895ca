"""What any value of ours must be: numbers that are numbers, noise levels that fall."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import SteeringError

if TYPE_CHECKING:
    from torch import Tensor

MOST = 1e6
"""An activation, or a number made of some, beyond any that float16 holds (65,504) by far; a larger one is broken."""
MOST_GUIDANCE = 1000.0
"""The largest scale of classifier-free guidance; 1 to 20 are in use."""
FLOATS = ("torch.float16", "torch.float32", "torch.float64")
"""By name, so that what only checks numbers and texts does without torch."""


def check_numbers(values: Tensor, name: str) -> None:
    """Raise SteeringError where a tensor is not of floats, or holds one that is not finite or beyond `MOST`."""
    if str(values.dtype) not in FLOATS:
        raise SteeringError(f"{name} is of type {values.dtype}, not of float16, float32 or float64; make it again")
    if not values.numel():
        return
    low, high = values.aminmax()
    if not (low >= -MOST and high <= MOST):  # what is not a number is neither
        raise SteeringError(f"{name} holds a number that is not finite or beyond {MOST:g}; make it again")


def check_levels(sigmas: Tensor, name: str) -> None:
    """Raise SteeringError where a tensor is not noise levels: at least one, above 0, finite and falling."""
    check_numbers(sigmas, name)
    if sigmas.ndim != 1 or not len(sigmas) or not bool((sigmas > 0).all()) or not bool((sigmas.diff() < 0).all()):
        raise SteeringError(f"{name} must be noise levels above 0 that fall from each to the next; make them again")


def check_finite(value: Any, name: str, most: float = MOST) -> float:
    """A number within -most to most; raises SteeringError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= most:
        raise SteeringError(f"{name} {short(value)} must be a finite number from -{most:g} to {most:g}")
    return float(value)


def check_mapping(value: Any, name: str) -> Mapping[str, Any]:
    """An object with names for keys; raises SteeringError for anything else."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise SteeringError(f"{name} {short(value)} must be an object with names for keys; make the file again")
    return value


LONGEST = 20_000
"""Letters of a prompt; a text encoder takes some 5,000 in all."""


LONGEST_NAME = 1000
"""Letters of a concept's name; a combination names its parts."""


def check_source(metadata: Mapping[str, Any]) -> None:
    """Raise SteeringError where the names of a file's concept and model are none that can be shown and compared."""
    for name, value in check_mapping(metadata.get("model", {}), "model").items():
        if not isinstance(value, str):
            raise SteeringError(f"the model's {name} {short(value)} must be a text; make the file again")
    concept = metadata.get("concept") or ""
    if not isinstance(concept, str) or len(concept) > LONGEST_NAME:
        raise SteeringError(f"the concept's name {short(concept)} must be a text of at most {LONGEST_NAME} letters")
    check_text(concept, "the concept's name")


def check_text(text: str, where: str) -> None:
    """Raise SteeringError for a prompt that is no text that a tokenizer, a file and a picture can hold."""
    if len(text) > LONGEST:
        raise SteeringError(f"{where}: a prompt of {len(text):,} letters is longer than {LONGEST:,}; shorten it")
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
        raise SteeringError(
            f"{where}: the prompt {short(text)} holds characters that are no text, such as NUL; take them out"
        )


def some_of(names: Iterable[Any], most: int = 4) -> str:
    """The first few of some names, as a message can hold them."""
    every = list(map(str, names))
    return ", ".join(every[:most]) + ", ..." * (len(every) > most)


def short(value: Any) -> str:
    """A value as a message can hold it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
