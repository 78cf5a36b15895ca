"""Maps of a concept, painted over the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from ..maps import Maps, fitted, some_levels, strongest, summary


def map_figure(picture: np.ndarray, maps: Maps, title: str, columns: int = 6, rows: int = 6) -> Figure:
    """Maps painted over a picture: a row a site, its mean first, then some noise levels.

    Args:
        picture: ``uint8 [H, W, 3]``.
        maps: from `steering.maps.maps_of`.
        title: above everything.
        columns: number of noise levels shown, spread evenly.
        rows: number of sites shown, those with the highest peak.
    """
    shown, levels = strongest(maps, rows), some_levels(maps, columns)
    size = picture.shape[:2]
    cells = [[("mean", _mean_map(part, size)), *_at_levels(part, levels, size)] for part in shown.values()]
    every = np.concatenate([np.abs(values).ravel() for row in cells for _, values in row if values is not None])
    limit = max(1e-6, float(np.quantile(every, 0.995)))
    # One row more on top: the picture, and the mean of everything.
    figure = Figure(figsize=(1.5 * (len(levels) + 1) + 1.2, 1.62 * (len(cells) + 1) + 0.5), layout="constrained")
    grid = figure.subplots(len(cells) + 1, max(2, len(levels) + 1), squeeze=False)
    grey = np.repeat(picture.mean(2, keepdims=True).astype(np.uint8), 3, 2)
    for axes in grid.ravel():
        axes.axis("off")
    grid[0][0].imshow(picture)
    grid[0][0].set_title("picture", fontsize=7)
    everything = summary(maps, size).numpy()
    _paint(grid[0][1], grey, "all sites, all steps", everything, max(1e-6, float(np.abs(everything).max())))
    for axes, row, site in zip(grid[1:], cells, shown, strict=True):
        # A site that was not steered at a noise level stays bare there; its mean, the first, is always there.
        there = [(place, *cell) for place, cell in zip(axes, row, strict=False) if cell[1] is not None]
        painted = [_paint(place, grey, name, values, limit) for place, name, values in there]
        at = {"ha": "right", "va": "center", "transform": axes[0].transAxes, "fontsize": 8}
        axes[0].text(-0.06, 0.5, str(site), rotation=90, **at)
        if site == list(shown)[-1]:
            figure.colorbar(painted[0], ax=grid[1:], fraction=0.02, label="in units of the concept")
    figure.suptitle(title, fontsize=10)
    return figure


def _mean_map(levels: Mapping[float, Tensor], size: tuple[int, int]) -> np.ndarray:
    return np.mean([fitted(part, size).numpy() for part in levels.values()], axis=0)


def _at_levels(
    part: Mapping[float, Tensor], levels: Sequence[float], size: tuple[int, int]
) -> list[tuple[str, np.ndarray | None]]:
    return [(f"sigma {level:.2g}", fitted(part[level], size).numpy() if level in part else None) for level in levels]


def _paint(axes: Axes, grey: np.ndarray, title: str, values: np.ndarray, limit: float) -> AxesImage:
    """A map over a picture: red holds or gains the concept, blue lacks or loses it."""
    axes.set_title(title, fontsize=7)
    axes.imshow(grey)
    return axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.6)
