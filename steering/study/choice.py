"""How one setting is chosen among many, on dev prompts: what each does, and the rule; for studies and tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from .setting import Setting

ENOUGH = 90.0
"""Removal on dev with which one direction is enough; below it, several directions are tried as well."""
FINALISTS = 6
"""Settings that are compared once more, on more dev prompts."""
ALLOWED_LOSS = 5.0
"""Points that siblings and unrelated prompts may lose where one direction is enough."""
TIE = 4.0
"""Points of worth by which settings may differ and still count as equal: two prompts of fifty."""
WORTH = (
    "A setting's worth is its clean removal (the share of target prompts with the concept absent, nothing broken left "
    "and the rest kept; where debris is not measured, 100 less the distance to the counterfactual in percent) less "
    "the points that siblings and unrelated prompts lose; a gain counts as none lost."
)
TAKEN = f"Of those within {TIE:g} points of the best there, the one nearest to the counterfactual is taken."


@dataclass(frozen=True)
class Outcome:
    """What a setting does, as means over prompts; None for what was not measured.

    Attributes:
        setting: the setting.
        presence: of the concept on target prompts, 0 to 100.
        debris: on target prompts, 0 to 100.
        kept: of what else target prompts ask for, 0 to 100.
        clean: percent of target prompts that are clean.
        counterfactual: distance to the prompts without the concept, the original's being 1.
        worst: how bad the worst third of target pictures is, 0 to 100: the most of presence, debris and what is not
            kept.
        sibling: points that sibling prompts lost.
        unrelated: points that unrelated prompts lost.
        change: how far the pictures of the latter two moved, rms in grey levels.
    """

    setting: Setting
    presence: float
    debris: float | None
    kept: float | None
    clean: float | None
    counterfactual: float | None
    worst: float
    sibling: float
    unrelated: float
    change: float

    @property
    def cost(self) -> float:
        """Points lost by siblings and by unrelated prompts; a gain counts as none, and pays for nothing."""
        return max(self.sibling, 0.0) + max(self.unrelated, 0.0)

    @property
    def removed(self) -> float:
        """How well the concept is taken out, at most 100; see `WORTH`."""
        if self.clean is not None:
            return self.clean
        return 100 - (self.presence if self.counterfactual is None else 100 * self.counterfactual)

    @property
    def worth(self) -> float:
        """What is chosen by: removal less losses."""
        return self.removed - self.cost

    @property
    def enough(self) -> bool:
        """Whether the setting takes the concept out at little cost."""
        return self.removed >= ENOUGH and max(self.sibling, self.unrelated) <= ALLOWED_LOSS

    def numbers(self) -> dict[str, float | None]:
        """Everything but the setting."""
        return {part.name: getattr(self, part.name) for part in fields(self) if part.name != "setting"}

    def to_json(self) -> dict[str, Any]:
        """The setting and the numbers, flat."""
        return {**self.setting.to_json(), **self.numbers()}


def rule(few: int, more: int, ranks: Sequence[int]) -> str:
    """How a study chooses, in words.

    Args:
        few: target prompts on which all settings run.
        more: target prompts on which the finalists run.
        ranks: numbers of directions that are tried where one is not enough.
    """
    further = (
        f" Where none of them removes {ENOUGH:g} at a loss of at most {ALLOWED_LOSS:g}, settings of "
        f"{' and '.join(map(str, ranks))} directions a site run too."
    ) * bool(ranks)
    return (
        f"{WORTH} All settings run on {few} target prompts.{further} The best {FINALISTS} run on {more}. {TAKEN} Of "
        "projection the k is taken that leaves least of the concept and costs others least, since it may be clean at "
        "none."
    )


def promising(outcomes: Sequence[Outcome], count: int) -> list[Outcome]:
    """The ``count`` outcomes of the highest worth."""
    return sorted(outcomes, key=lambda one: -one.worth)[:count]


def choose(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome that is taken, by `TAKEN`."""
    best = max(one.worth for one in outcomes)
    return min((one for one in outcomes if one.worth >= best - TIE), key=_far)


def most_suppressing(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of the least presence and losses together, as the source study judges its settings.

    Where none of some settings is clean, the one of the highest worth is the one that does nothing.
    """
    return min(outcomes, key=lambda one: one.presence + one.cost)


def _far(outcome: Outcome) -> tuple[float, float]:
    """How far a setting is from the counterfactual; where that is not known, from being taken out at all."""
    far = 100 - outcome.removed if outcome.counterfactual is None else outcome.counterfactual
    return far, outcome.change


def pareto(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes that no other beats in removal and cost at once, by rising cost."""
    front: list[Outcome] = []
    for outcome in sorted(outcomes, key=lambda one: (one.cost, -one.removed)):
        if not front or outcome.removed > front[-1].removed:
            front.append(outcome)
    return front
