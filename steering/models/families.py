"""What is usual for a family of models."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Defaults:
    """What is usual for a family of models.

    Attributes:
        guidance: scale of classifier-free guidance.
        batch: pictures computed together.
        size: width and height in pixels.
    """

    guidance: float
    batch: int
    size: int


_DEFAULTS = {"pocket": Defaults(3.0, 16, 128), "sd15": Defaults(7.5, 2, 512)}


def defaults_of(family: str) -> Defaults:
    """Usual values of a family: SD 1.5's, at what 8 GB hold, unless it is the pocket, which is best at 3."""
    return _DEFAULTS.get(family, _DEFAULTS["sd15"])
