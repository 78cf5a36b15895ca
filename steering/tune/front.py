"""What a setting does on dev prompts, which settings no other beats on both counts, and which one to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..evaluate.choice import cost
from .space import Candidate

TIE = 1.0
"""Points of the sum that fifty prompts do not tell apart."""
RULE = (
    "Of the settings that no other beats on both counts, the ones within "
    f"{TIE:g} point of the lowest sum of presence left and points lost by siblings and by unrelated prompts (a gain "
    "counts as none lost); of those, the one that changes the pictures of siblings and unrelated prompts least."
)


@dataclass(frozen=True)
class Outcome:
    """Means over dev prompts.

    Attributes:
        candidate: the setting.
        presence: of the concept on target prompts, 0 to 100.
        sibling: points that sibling prompts lost.
        unrelated: points that unrelated prompts lost.
        change: how far the pictures of the latter two moved, rms in grey levels.
    """

    candidate: Candidate
    presence: float
    sibling: float
    unrelated: float
    change: float

    @property
    def cost(self) -> float:
        """Points lost by siblings and by unrelated prompts; a gain of one does not pay for the other's loss."""
        return cost(self.sibling, self.unrelated)

    @property
    def total(self) -> float:
        """Presence left and cost together."""
        return self.presence + self.cost


def pareto(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes that no other beats in presence and cost at once, by rising cost."""
    front: list[Outcome] = []
    for outcome in sorted(outcomes, key=lambda one: (one.cost, one.presence)):
        if not front or outcome.presence < front[-1].presence:
            front.append(outcome)
    return front


def promising(outcomes: Sequence[Outcome], count: int) -> list[Outcome]:
    """The ``count`` outcomes of the lowest sum."""
    return sorted(outcomes, key=lambda one: one.total)[:count]


def knee(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome to take, by `RULE`."""
    front = pareto(outcomes)
    lowest = min(one.total for one in front)
    return min((one for one in front if one.total <= lowest + TIE), key=lambda one: one.change)
