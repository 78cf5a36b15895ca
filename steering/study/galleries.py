"""The galleries of a study's page: prompts chosen by rules, none of them by taste."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from ..concepts.pairs import spread
from ..plots.pictures import gallery, labelled_grid, save_picture
from ..plots.strength_sweep import notes_of
from .measurements import Measurements, lost, presence
from .plan import COUNTERFACTUAL
from .removal import faults
from .renderer import read_picture
from .results import Result

SHOWN = 6
"""Prompts in each gallery."""


TITLES = {"isotropic": "random directions", COUNTERFACTUAL: "not asked for"}
"""Arms that are called otherwise above their pictures."""


STRIP = 3
"""Prompts in the strength strip."""


THUMB = 256
"""Longest side of a picture in a gallery."""


def galleries(one: Result, folder: Path) -> list[tuple[str, str]]:
    """(file relative to the page, caption) of three choices of prompts, none of them by taste."""
    k = one.choice.study_k if one.choice else 0
    wanted = ("original", "steered", f"study_k{k}", f"cpca_k{k}", "chosen", "isotropic", COUNTERFACTUAL)
    names = [name for name in wanted if name in one.measurements]
    best = next((name for name in ("chosen", "steered", f"study_k{k}") if name in names), names[-1])
    # Controls draw target prompts only.
    keeping = [name for name in names if not one.measurements[name].role("target").all()]
    steered, made = one.measurements[best], []
    wrong, losses = faults(steered), lost(steered, one.measurements["original"])
    targets, others = _shared(one, names, best, True), _shared(one, keeping, best, False)
    by_fault = sorted(targets, key=lambda i: -wrong[i])
    choices = (
        ("fixed", "target prompts spread evenly over the list, not picked", names, spread(targets, SHOWN)),
        ("weakest", f"the worst pictures of {best}", names, by_fault),
        ("worst", f"the worst retention of {best}", keeping, sorted(others, key=lambda i: -losses[i])),
    )
    for title, caption, shown, places in choices:
        rows = [(steered.items[i].name, steered.items[i].repeat) for i in places[:SHOWN]]
        if rows:
            path = folder / f"gallery_{title}.png"
            _gallery(one, shown, rows, path)
            made.append((f"{folder.name}/{path.name}", caption))
    return made + _strip(one, folder)


def _strip(one: Result, folder: Path) -> list[tuple[str, str]]:
    """The study's preset at several strengths, from the pictures of those arms; nothing where there are none."""
    arms = {arm.setting.strength: arm.name for arm in one.arms if arm.group == "strength" and arm.setting}
    if not arms:
        return []
    names = ["original", *(arms[strength] for strength in sorted(arms))]
    first = one.measurements[names[1]]
    rows = [(first.items[i].name, first.items[i].repeat) for i in spread(_shared(one, names, names[1], True), STRIP)]
    pictures, notes = [], []
    for row in rows:
        for name in names:
            measurements = one.measurements[name]
            i = _places(measurements)[row]
            pictures.append(thumbnail(read_picture(measurements.pictures[i]), one.subject.concept.explicit))
            judged = {"presence": presence(measurements)[[i]]}
            if "debris" in measurements.columns:
                judged["debris"] = measurements.columns["debris"][[i]]
            notes += notes_of(judged, measurements.columns["change_rms"][[i]])
    labels = ["original", *(f"strength {strength:g}" for strength in sorted(arms))] * len(rows)
    save_picture(labelled_grid(pictures, labels, len(names), notes), folder / "strip.png")
    k = one.choice.study_k if one.choice else 0
    caption = (
        f"preset projection, k = {k}, at several strengths: presence of the concept, drift from the original (rms)"
    )
    return [(f"{folder.name}/strip.png", caption)]


def _shared(one: Result, names: Sequence[str], best: str, targets: bool) -> list[int]:
    """Rows of the best arm, target prompts or the others, that all these arms draw."""
    drawn = [{(item.name, item.repeat) for item in one.measurements[name].items} for name in names]
    in_all = set.intersection(*drawn)
    items = one.measurements[best].items
    mine = [i for i, item in enumerate(items) if (item.prompt.role == "target") == targets]
    return [i for i in mine if (items[i].name, items[i].repeat) in in_all]


def _gallery(one: Result, names: Sequence[str], rows: Sequence[tuple[str, int]], path: Path) -> None:
    columns = []
    for name in names:
        place = _places(one.measurements[name])
        files = [one.measurements[name].pictures[place[row]] for row in rows]
        columns.append(
            (
                TITLES.get(name, name),
                np.stack([thumbnail(read_picture(file), one.subject.concept.explicit) for file in files]),
            )
        )
    first = one.measurements[names[0]]
    prompts = {(item.name, item.repeat): item.prompt.text for item in first.items}
    gallery(columns, path, [prompts[row] for row in rows])


def _places(measurements: Measurements) -> dict[tuple[str, int], int]:
    """(a prompt's name, its repetition) -> its row."""
    return {(item.name, item.repeat): i for i, item in enumerate(measurements.items)}


def thumbnail(picture: np.ndarray, blurred: bool) -> np.ndarray:
    """A picture ``uint8 [H, W, 3]`` of at most `THUMB` a side, blurred where it may be explicit."""
    image = Image.fromarray(picture)
    if max(image.size) > THUMB:
        image.thumbnail((THUMB, THUMB))
    if blurred:
        image = image.filter(ImageFilter.GaussianBlur(max(image.size) / 12))
    return np.asarray(image)
