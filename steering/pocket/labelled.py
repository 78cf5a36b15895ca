"""Pictures that were labelled by eye: a table of rows, and beside it one picture file with a cell for each."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image


def read(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a table."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pictures_of(folder: Path, name: str, side: int) -> np.ndarray:
    """The pictures of a file ``uint8 [N, side, side, 3]``, white ones at its end included."""
    with Image.open(folder / f"{name}.webp") as whole:
        cells = np.asarray(whole.convert("RGB"))
    lines = cells.reshape(cells.shape[0] // side, side, cells.shape[1] // side, side, 3)
    return lines.swapaxes(1, 2).reshape(-1, side, side, 3)
