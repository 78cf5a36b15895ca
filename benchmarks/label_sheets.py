"""Pictures that are labelled by eye: a file of them all, a table that waits, and numbered sheets to look at."""

import csv
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from steering.concepts.prompts import load_concept, load_prompts
from steering.evaluate.metrics import judged
from steering.plots.pictures import labelled_grid, save_picture
from steering.pocket.backgrounds import SIZE
from steering.pocket.labelled import pictures_of, read

COLUMNS, SHEET = 10, 25
LABELS = ("visible", "remains", "clean")
PASSES = ("", "_again")
"""Ends of the columns of two passes."""


def write(
    folder: Path, name: str, pictures: Sequence[np.ndarray], rows: Sequence[tuple[str, int, str]], work: Path
) -> None:
    """Write pictures ``uint8 [H, W, 3]`` with their (prompt, seed, setting).

    Args:
        folder: of the file of pictures and the table.
        name: of the concept.
        pictures: in random order.
        rows: as many.
        work: folder of the sheets, which do not name settings.
    """
    keep(folder, name, pictures, ("prompt", "seed", "setting"), rows, LABELS)
    sheets(work, name, pictures, [prompt for prompt, _, _ in rows])


def sheets(work: Path, name: str, pictures: Sequence[np.ndarray], prompts: Sequence[str]) -> None:
    """Write numbered sheets of a set's pictures with their prompts, to be looked at."""
    for start in range(0, len(prompts), SHEET):
        some = range(start, min(start + SHEET, len(prompts)))
        notes = ["\n".join(folded(prompts[i])) for i in some]
        sheet = labelled_grid([enlarged(pictures[i]) for i in some], [str(i) for i in some], 5, notes)
        save_picture(sheet, work / "sheets" / f"{name}_{start // SHEET}.png")


def keep(
    folder: Path,
    name: str,
    pictures: Sequence[np.ndarray],
    about: Sequence[str],
    rows: Sequence[Sequence[str | int]],
    labels: Sequence[str],
) -> None:
    """Write the file of pictures ``uint8 [H, W, 3]``, and a table of rows about them whose labels wait."""
    folder.mkdir(exist_ok=True)
    blank = [np.full_like(pictures[0], 255)] * (-len(pictures) % COLUMNS)
    filled = [*pictures, *blank]
    lines = [np.concatenate(filled[i : i + COLUMNS], 1) for i in range(0, len(filled), COLUMNS)]
    Image.fromarray(np.concatenate(lines, 0)).save(folder / f"{name}.webp", quality=95)
    waiting = [label + end for end in PASSES for label in labels]
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["number", *about, *waiting])
        table.writerows([n, *row, *("" for _ in waiting)] for n, row in enumerate(rows))


def enlarged(picture: np.ndarray) -> np.ndarray:
    """A picture at twice its size."""
    return picture.repeat(2, 0).repeat(2, 1)


def folded(text: str, width: int = 28) -> list[str]:
    """Words in two lines at most."""
    return [*textwrap.wrap(text, width), ""][:2]


def judged_of(folder: Path, name: str, split: str, end: str = "") -> dict[str, np.ndarray]:
    """What the judge says of the pictures of a concept's table, whose prompts are a split's: columns as `judged`.

    Besides, ``clean`` is the least of what it says of the concept's absence, of wholeness, and of the prompt's rest.
    """
    rows = read(folder, name + end)
    prompts = {prompt.text: prompt for prompt in load_prompts(name, split)}
    asked = [prompts[row["prompt"]] for row in rows]
    columns = judged(pictures_of(folder, name + end, SIZE)[: len(rows)], asked, load_concept(name))
    rest = np.nan_to_num(columns["rest"], nan=100.0)
    parts = (100 - columns["presence"], 100 - columns["debris"], rest)
    return {**columns, "clean": np.minimum.reduce(parts)}


def kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Cohen's kappa of two passes of flags ``bool [N]``."""
    agree = (one == other).mean()
    chance = one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean())
    return float((agree - chance) / (1 - chance)) if chance < 1 else 1.0
