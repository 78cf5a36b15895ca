"""The settings that tuning tries, and what lies next to each."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from ..interventions.presets import get_preset
from ..sites import TEXT_KIND
from ..study.setting import MAPS, Recipe, Setting

LADDER = (1, 2, 3, 5, 8, 12, 16, 24)
"""Numbers of sites."""
WINDOWS = ((0.0, 1.0), (0.0, 0.67), (0.33, 1.0), (0.67, 1.0))
"""Shares of the schedule within which steering acts."""
FACTORS = (0.7, 1.4)
"""Strengths next to one are these multiples of it."""
LINEAR = "overall:attn1,attn2,ff"
"""Sites that a LoRA can hold, the best on average."""


def _family(recipe: Recipe, presets: dict[str, tuple[float, ...]], ks: tuple[int, ...]) -> list[Setting]:
    return [
        Setting(replace(recipe, k=k), preset, strength)
        for preset, strengths in presets.items()
        for strength, k in product(strengths, ks)
    ]


def first_round(exportable: bool = False) -> list[Setting]:
    """A coarse grid over everything: presets at their usual strengths, per step and constant, up to three directions,
    and maps of the text embedding.

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
    names = ("projection", "casteer", "precise", "selective")
    usual: dict[str, tuple[float, ...]] = {name: (get_preset(name).default_strength,) for name in names}
    usual["precise"] += (2.0,)
    return [
        *(Setting.of_map(direction, rank) for direction, rank in MAPS),
        *_family(Recipe(1), usual, (3, 5, 8, 12)),
        *_family(pca, {"precise": (1.0, 1.5)}, (3, 5)),
        *_family(pca, {"selective": usual["selective"]}, (5, 8)),
        *_family(replace(pca, rank=3), {"selective": usual["selective"]}, (5, 8)),
        *linear,
    ]


def neighbours(setting: Setting, exportable: bool = False) -> list[Setting]:
    """Settings one step away: in strength, number of sites, window, and kind of direction.

    Args:
        setting: from where.
        exportable: whether all stay what a LoRA holds exactly, which has no window.
    """
    recipe = setting.recipe
    place = LADDER.index(recipe.k)
    near = [replace(setting, strength=round(setting.strength * factor, 2)) for factor in FACTORS]
    ks = LADDER[max(0, place - 1) : place] + LADDER[place + 1 : place + 2]
    if recipe.where != TEXT_KIND:
        near += [replace(setting, vector=replace(recipe, k=k)) for k in ks]
    if not exportable:
        near += [replace(setting, window=window) for window in WINDOWS if window != setting.window]
    return near
