"""What tuning chooses among: methods, sites, presets, strengths and windows, as a trial of Optuna asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..interventions.presets import get_preset
from ..study.setting import MAPS, Recipe, Setting
from ..study.vectors import GATED

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

LADDER = (1, 2, 3, 5, 8, 12, 16, 24)
"""Numbers of sites, of those that suit every step best or a LoRA on average."""
SITES_OF_ATTN2 = (3, 5, 8, 12, 16)
"""Numbers of cross-attentions; a model has sixteen or more."""
WINDOWS = {"all": (0.0, 1.0), "first two thirds": (0.0, 0.67), "last two thirds": (0.33, 1.0), "last": (0.67, 1.0)}
"""Shares of the schedule within which steering acts."""
FACTORS = (0.5, 2.0)
"""Strengths lie between these multiples of the preset's usual one."""
LINEAR = "overall:attn1,attn2,ff"
"""Sites that a LoRA can hold, the best on average."""
PLACES = {"at every step": "per-step", "cross-attention": "overall:attn2", "linear": LINEAR}
"""Where directions may act -> the rule that picks the sites."""
ROWS = {"mean": (1, 1), "pca": (2, 3), "cpca": (1, 1), "cpca-paired": (1, 3), "affine": (1, 4)}
"""Directions at the UNet's blocks -> fewest and most rows."""
EXPORTABLE = ("mean", "pca")
"""Directions of which a LoRA holds one that is constant in time exactly."""
PLAIN_PRESETS = ("projection", "casteer", "precise", "lora")

Parameters = dict[str, Any]
"""What a trial was answered, by name."""


def suggest(trial: BaseTrial, exportable: bool = False) -> Setting:
    """The setting that a trial's answers make.

    Args:
        trial: asked for every choice that the ones before leave open.
        exportable: only what a LoRA holds exactly: linear layers, constant in time, gate all, both halves, no window.
    """
    if exportable:
        return _at_blocks(trial, EXPORTABLE, "linear")
    method = trial.suggest_categorical("method", ("text", "blocks"))
    setting = _of_text(trial) if method == "text" else _at_blocks(trial, tuple(ROWS))
    window = WINDOWS[trial.suggest_categorical("window", tuple(WINDOWS))]
    return replace(setting, window=window)


def _of_text(trial: BaseTrial) -> Setting:
    names = {f"{direction} {rank}": (direction, rank) for direction, rank in MAPS}
    usual = Setting.of_map(*names[trial.suggest_categorical("map", tuple(names))])
    return replace(usual, strength=_strength(trial, usual.preset))


def _at_blocks(trial: BaseTrial, directions: Sequence[str], only: str | None = None) -> Setting:
    """Directions at the UNet's blocks; ``only`` in one place, as a LoRA holds it, or in any."""
    direction = trial.suggest_categorical("direction", directions)
    least, most = ROWS[direction]
    rank = trial.suggest_int(f"rank of {direction}", least, most) if most > least else least
    place = only or trial.suggest_categorical("place", tuple(PLACES))
    among_attn2 = place == "cross-attention"
    k = trial.suggest_categorical("k of attn2" if among_attn2 else "k", SITES_OF_ATTN2 if among_attn2 else LADDER)
    preset = "lora" if only else _preset(trial, direction, place)
    time = "constant" if place == "linear" else "per-step"
    return Setting(Recipe(k, direction, rank, PLACES[place], time), preset, _strength(trial, preset))


def _preset(trial: BaseTrial, direction: str, place: str) -> str:
    if direction == "affine":
        return "affine"
    if direction in GATED and place == "at every step":
        return trial.suggest_categorical("preset or selective", (*PLAIN_PRESETS, "selective"))
    return trial.suggest_categorical("preset", PLAIN_PRESETS)


def _strength(trial: BaseTrial, preset: str) -> float:
    """The preset's usual strength times a factor, to two digits: finer than that no picture tells apart."""
    return round(get_preset(preset).default_strength * trial.suggest_float("factor", *FACTORS, log=True), 2)


def first_trials(exportable: bool = False) -> list[Parameters]:
    """The answers of the trials that come first: every map of the text, and presets as they are usually applied."""
    usual = {"window": "all", "factor": 1.0}
    if exportable:
        return [{"direction": "mean", "k": k, "factor": 1.0} for k in (3, 8, 16)] + [
            {"direction": "pca", "rank of pca": 2, "k": 16, "factor": 1.0}
        ]
    maps = [{"method": "text", "map": f"{direction} {rank}", **usual} for direction, rank in MAPS]
    mean = {"method": "blocks", "direction": "mean", "place": "at every step", **usual}
    # The source study's own preset and strength lead: what is taken must be no worse.
    applied = [("projection", 3), ("projection", 5), ("casteer", 8), ("precise", 8), ("selective", 8)]
    presets = [{**mean, "preset or selective": preset, "k": k} for preset, k in applied]
    return [*maps, *presets, {**mean, "place": "linear", "preset": "lora", "k": 8}]
