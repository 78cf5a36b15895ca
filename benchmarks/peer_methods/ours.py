"""Steering by this package: what it learns from pairs, and how it is applied; and two peers that are settings of it.

CASteer (Gaintseva et al., arXiv 2503.09630) is the mean difference at every cross-attention with only its positive
part, twice; LEACE (Belrose et al., arXiv 2306.03819) the whitened direction, to the negatives' mean; MidSteer the
affine map, at every cross-attention, to the negatives and with these kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from steering.interventions.steer import steer
from steering.study.setting import Recipe, Setting

from .learned import Learned


@contextmanager
def steered(learned: Learned, setting: Setting) -> Iterator[None]:
    """The model steered by a setting of a study."""
    start, end = setting.window
    vector = learned.vectors.get(setting.recipe)
    with steer(learned.model, vector, strength=setting.strength, preset=setting.preset, start=start, end=end):
        yield


def across(direction: str, preset: str, strength: float, rank: int = 1) -> Setting:
    """A direction at every cross-attention, at every step its own."""
    return Setting(Recipe(1, direction, rank, "attn2"), preset, strength)
