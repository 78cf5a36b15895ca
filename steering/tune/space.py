"""The settings that tuning tries, and what lies next to each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from ..study.plan import Arm, Counts, Recipe

LADDER = (1, 2, 3, 5, 8, 12, 16, 24)
"""Numbers of sites."""
WINDOWS = ((0.0, 1.0), (0.0, 0.67), (0.33, 1.0), (0.67, 1.0))
"""Shares of the schedule within which steering acts."""
FACTORS = (0.7, 1.4)
"""Strengths next to one are these multiples of it."""
LINEAR = "overall:attn1,attn2,ff"
"""Sites that a LoRA can hold, the best on average."""


@dataclass(frozen=True)
class Candidate:
    """One way of steering.

    Attributes:
        recipe: how its vector is made.
        preset: a name of `steering.interventions.PRESETS`.
        strength: λ.
        window: first and last share of the schedule.
    """

    recipe: Recipe
    preset: str
    strength: float
    window: tuple[float, float] = (0.0, 1.0)

    @property
    def name(self) -> str:
        """Unique among candidates, and readable."""
        start, end = self.window
        inside = "" if self.window == (0.0, 1.0) else f" {start:g}-{end:g}"
        rank = f" rank {self.recipe.rank}" if self.recipe.rank > 1 else ""
        constant = " constant" if self.recipe.time == "constant" else ""
        return f"{self.preset} {self.strength:g} k={self.recipe.k}{rank}{constant}{inside}"

    def arm(self, counts: Counts) -> Arm:
        """Dev prompts drawn this way."""
        return Arm(self.name, "tune", counts, self.recipe, self.preset, self.strength, window=self.window, split="dev")


def _family(recipe: Recipe, presets: dict[str, tuple[float, ...]], ks: tuple[int, ...]) -> list[Candidate]:
    return [
        Candidate(replace(recipe, k=k), preset, strength)
        for preset, strengths in presets.items()
        for strength, k in product(strengths, ks)
    ]


def first_round(exportable: bool = False) -> list[Candidate]:
    """A coarse grid over everything: presets at their usual strengths, per step and constant, up to three directions.

    Args:
        exportable: only what a LoRA holds exactly.
    """
    pca = Recipe(1, "pca", 2)
    constant = Recipe(1, selection=LINEAR, time="constant")
    linear = [
        *_family(constant, {"lora": (1.0, 1.5)}, (3, 5, 8, 12, 16)),
        *_family(replace(pca, selection=LINEAR, time="constant"), {"lora": (1.0,)}, (8, 16)),
        *_family(replace(pca, rank=3, selection=LINEAR, time="constant"), {"lora": (1.0,)}, (8, 16)),
    ]
    if exportable:
        return linear
    usual: dict[str, tuple[float, ...]] = {
        "study": (2.5,),
        "casteer": (2.0,),
        "precise": (1.0, 2.0),
        "selective": (3.0,),
    }
    return [
        *_family(Recipe(1), usual, (3, 5, 8, 12)),
        *_family(pca, {"precise": (1.0, 1.5)}, (3, 5)),
        *_family(pca, {"selective": (3.0,)}, (5, 8)),
        *_family(replace(pca, rank=3), {"selective": (3.0,)}, (5, 8)),
        *linear,
    ]


def neighbours(candidate: Candidate, exportable: bool = False) -> list[Candidate]:
    """Candidates one step away: in strength, number of sites, window, and kind of direction.

    Args:
        candidate: from where.
        exportable: whether all stay what a LoRA holds exactly, which has no window.
    """
    recipe, place = candidate.recipe, LADDER.index(candidate.recipe.k)
    near = [replace(candidate, strength=round(candidate.strength * factor, 2)) for factor in FACTORS]
    ks = LADDER[max(0, place - 1) : place] + LADDER[place + 1 : place + 2]
    near += [replace(candidate, recipe=replace(recipe, k=k)) for k in ks]
    if not exportable:
        near += [replace(candidate, window=window) for window in WINDOWS if window != candidate.window]
    return near
