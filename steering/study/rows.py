"""The rows of a study: one picture a row, everything raw that was measured on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .measurements import Measurements
from .plan import Arm
from .results import Result
from .run import Study
from .setting import ALL, Setting
from .table import to_csv


def rows_csv(study: Study, results: Sequence[Result]) -> str:
    """One row a picture: everything raw that was measured on it."""
    columns = sorted({name for one in results for made in one.measurements.values() for name in made.columns})
    rows = []
    for one in results:
        for arm in one.arms:
            made = one.measurements[arm.name]
            for i in range(len(made.items)):
                values = [_cell(made.columns[name][i]) if name in made.columns else "" for name in columns]
                rows.append((*_about(study, one, arm, made, i), *values))
    return to_csv((*_ABOUT, *columns), rows)


_ABOUT = (
    *("concept", "arm", "group", "role", "prompt_id", "prompt", "repeat", "seed", "preset", "strength", "k", "rank"),
    *("direction", "selection", "control", "draw", "start", "end", "negative", "guidance", "picture", "sha256"),
)


def _about(study: Study, one: Result, arm: Arm, made: Measurements, i: int) -> tuple[Any, ...]:
    item = made.items[i]
    return (
        one.subject.name,
        arm.name,
        arm.group,
        item.prompt.role,
        item.name,
        item.prompt.text,
        item.repeat,
        item.seed,
        *_how(arm.setting, item.draw),
        arm.negative,
        study.renderer.guidance(item.prompt),
        made.pictures[i].relative_to(study.out).as_posix(),
        made.sha256[i],
    )


def _how(setting: Setting | None, draw: str) -> tuple[Any, ...]:
    """Preset, strength, the vector's recipe where it was made here, and the window."""
    if setting is None:
        return ("",) * 8 + ALL
    recipe = setting.vector
    made = ("",) * 5
    if not isinstance(recipe, str):
        made = (recipe.k, recipe.rank, recipe.direction, recipe.selection, recipe.control)
    return setting.preset, setting.strength, *made, draw, *setting.window


def _cell(value: Any) -> Any:
    if isinstance(value, np.floating):
        return "" if np.isnan(value) else float(f"{value:.6g}")
    return value.item() if isinstance(value, np.generic) else value
