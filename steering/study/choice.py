"""How one setting is chosen among many, on dev prompts: what each does, and the rules of a study and of tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..concepts.prompts import ROLES
from ..evaluate.statistics import upper_bound
from .setting import Setting

ENOUGH = 10.0
"""Presence on dev with which one direction is enough; above it, several directions are tried as well."""
FINALISTS = 6
"""Settings that are compared once more, on more dev prompts."""
ALLOWED_LOSS = 5.0
"""Points that siblings and unrelated prompts may lose, as a one-sided 95 % upper bound on dev."""
TIE = 2.0
"""Points of presence that fifty prompts hardly tell apart."""
TIE_OF_SUMS = 1.0
"""Points of presence and cost together that fifty prompts do not tell apart."""
RULE = (
    f"All settings run on a few prompts; where one direction leaves more than {ENOUGH:g} points, or costs siblings or "
    f"unrelated prompts more than {ALLOWED_LOSS:g}, so do two and three principal directions. The {FINALISTS} of the "
    "lowest sum of presence and losses run on all dev prompts. Of those whose siblings and unrelated prompts lose at "
    f"most {ALLOWED_LOSS:g} points each (one-sided 95 % upper bounds), and that are within {TIE:g} points of the "
    "lowest presence among them, the one is chosen that changes the pictures of siblings and unrelated prompts least "
    "(root mean square of pixels); where none loses so little, the lowest sum. The projection preset takes the k of "
    "lowest presence."
)
TUNING_RULE = (
    "Of the settings that no other beats on both counts, the ones within "
    f"{TIE_OF_SUMS:g} point of the lowest sum of presence left and points lost by siblings and by unrelated prompts (a "
    "gain counts as none lost); of those, the one that changes the pictures of siblings and unrelated prompts least."
)


@dataclass(frozen=True)
class Outcome:
    """What a setting does, as means over prompts.

    Attributes:
        setting: the setting.
        presence: of the concept on target prompts, 0 to 100.
        sibling: points that sibling prompts lost.
        unrelated: points that unrelated prompts lost.
        bound: the larger of the one-sided 95 % upper bounds of the two.
        change: how far the pictures of the latter two moved, rms in grey levels.
    """

    setting: Setting
    presence: float
    sibling: float
    unrelated: float
    bound: float
    change: float

    @classmethod
    def of(
        cls, setting: Setting, presence: np.ndarray, losses: Mapping[str, np.ndarray], change: np.ndarray
    ) -> Outcome:
        """The outcome of values a prompt.

        Args:
            setting: the setting.
            presence: presence of the concept on target prompts ``[N]``.
            losses: points lost by sibling and by unrelated prompts, ``[N]`` each; a concept may come without one
                of them, which then loses nothing.
            change: how far the pictures of the latter two moved ``[N]``.
        """
        lost = {role: float(losses[role].mean()) if len(losses[role]) else 0.0 for role in ROLES[1:]}
        bound = max(upper_bound(losses[role]) if len(losses[role]) else 0.0 for role in ROLES[1:])
        return cls(setting, float(presence.mean()), **lost, bound=bound, change=_mean(change))

    @property
    def cost(self) -> float:
        """Points lost by siblings and by unrelated prompts; a gain counts as none, and pays for nothing."""
        return max(self.sibling, 0.0) + max(self.unrelated, 0.0)

    @property
    def total(self) -> float:
        """Presence left and cost together."""
        return self.presence + self.cost

    @property
    def enough(self) -> bool:
        """Whether the setting takes the concept out at little cost."""
        return self.presence <= ENOUGH and max(self.sibling, self.unrelated) <= ALLOWED_LOSS

    def to_json(self) -> dict[str, Any]:
        """The setting and the numbers, flat."""
        numbers = {name: getattr(self, name) for name in ("presence", "sibling", "unrelated", "bound", "change")}
        return {**self.setting.to_json(), **numbers}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def promising(outcomes: Sequence[Outcome], count: int) -> list[Outcome]:
    """The ``count`` outcomes of the lowest sum of presence and cost."""
    return sorted(outcomes, key=lambda one: one.total)[:count]


def choose(finals: Sequence[Outcome]) -> Outcome:
    """The outcome that a study takes, by `RULE`."""
    allowed = [one for one in finals if one.bound <= ALLOWED_LOSS]
    if not allowed:
        return min(finals, key=lambda one: one.total)
    lowest = min(one.presence for one in allowed)
    return min((one for one in allowed if one.presence <= lowest + TIE), key=lambda one: one.change)


def pareto(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes that no other beats in presence and cost at once, by rising cost."""
    front: list[Outcome] = []
    for outcome in sorted(outcomes, key=lambda one: (one.cost, one.presence)):
        if not front or outcome.presence < front[-1].presence:
            front.append(outcome)
    return front


def knee(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome that tuning takes, by `TUNING_RULE`."""
    front = pareto(outcomes)
    lowest = min(one.total for one in front)
    return min((one for one in front if one.total <= lowest + TIE_OF_SUMS), key=lambda one: one.change)
