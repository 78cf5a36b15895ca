"""Maps of a concept, painted over the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..interventions.maps import Maps, some_levels, strongest, summary
from .pictures import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

TITLES = MappingProxyType(
    {
        "held": "Where the model holds {}, before steering (1: as in the mean of prompts with it, 0: without)",
        "moved": "Where steering moved {}, and how far",
    }
)
"""What a map shows -> the title, with a place for the concept."""


def map_figure(picture: np.ndarray, maps: Maps, title: str, columns: int = 6, rows: int = 6) -> Figure:
    """Maps painted over a picture: a row a site, its mean first, then some noise levels.

    Args:
        picture: ``uint8 [H, W, 3]``.
        maps: from `steering.interventions.maps.maps_of`.
        title: above everything.
        columns: number of noise levels shown, spread evenly.
        rows: number of sites shown, those with the highest peak.
    """
    shown, levels = strongest(maps, rows), some_levels(maps, columns)
    cells = [_cells(part, levels) for part in shown.values()]
    tokens = np.concatenate([np.abs(values).ravel() for row in cells for _, values in row if values is not None])
    limit = max(1e-6, float(np.quantile(tokens, 0.995)))
    # One row more on top: the picture, and the mean of everything.
    figure = new_figure(figsize=(1.5 * (len(levels) + 1) + 1.2, 1.62 * (len(cells) + 1) + 0.5), layout="constrained")
    grid = figure.subplots(len(cells) + 1, max(2, len(levels) + 1), squeeze=False)
    grey = np.repeat(picture.mean(2, keepdims=True).astype(np.uint8), 3, 2)
    for axes in grid.ravel():
        axes.axis("off")
    grid[0][0].imshow(picture)
    grid[0][0].set_title("picture", fontsize=7)
    everything = summary(maps, picture.shape[:2]).numpy()
    _paint(grid[0][1], grey, "all sites, all steps", everything, max(1e-6, float(np.abs(everything).max())))
    for axes, row, site in zip(grid[1:], cells, shown, strict=True):
        # A site that was not steered at a noise level stays bare there; its mean, the first, is always there.
        cells_there = [(place, name, values) for place, (name, values) in zip(axes, row, strict=False)]
        painted = [_paint(p, grey, name, values, limit) for p, name, values in cells_there if values is not None]
        at = {"ha": "right", "va": "center", "transform": axes[0].transAxes, "fontsize": 8}
        axes[0].text(-0.06, 0.5, str(site), rotation=90, **at)
        if site == list(shown)[-1]:
            figure.colorbar(painted[0], ax=grid[1:], fraction=0.02, label="in units of the concept")
    figure.suptitle(title, fontsize=10)
    return figure


def _cells(part: Mapping[float, Tensor], levels: Sequence[float]) -> list[tuple[str, np.ndarray | None]]:
    """A site's mean, and its map at each of the levels; None where it was not steered."""
    mean = torch.stack(list(part.values())).mean(0).numpy()
    return [("mean", mean), *((f"sigma {v:.2g}", part[v].numpy() if v in part else None) for v in levels)]


def _paint(axes: Axes, grey: np.ndarray, title: str, values: np.ndarray, limit: float) -> AxesImage:
    """A map over a picture: red holds or gains the concept, blue lacks or loses it."""
    height, width = grey.shape[:2]
    axes.set_title(title, fontsize=7)
    axes.imshow(grey, extent=(0, width, height, 0))
    colours: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, "alpha": 0.6}
    return axes.imshow(values, extent=(0, width, height, 0), interpolation="bilinear", **colours)
