"""Pictures of results: layer x step heat map, scores by kind, a run's report, cosines, grids and the gallery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..directions.search import Search
from ..interventions.observation import Observation
from ..scores.navigator import Scores
from ..sites import KINDS, sort_sites
from .pictures import new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def heat_map(scores: Scores, path: Path, title: str = "") -> None:
    """Write `heat_map_figure` as a PNG."""
    save_figure(heat_map_figure(scores, title), path)


def heat_map_figure(scores: Scores, title: str = "") -> Figure:
    """Scores of every site (rows, in order of execution) at every noise level (columns)."""
    sites = sort_sites(scores.sites)
    table = scores.table().numpy()
    limit = max(0.1, float(np.abs(table).max()))
    title = title or f"Steerability D + C ({scores.mode})"
    return _site_table(table, [str(site) for site in sites], scores.sigmas.tolist(), limit, title, "score")


def observed_figure(observations: Sequence[Observation]) -> Figure:
    """How far steering moved the mean coordinate <x, r> of each site (rows) at each noise level (columns)."""
    if not observations:
        figure = new_figure(figsize=(5, 1))
        figure.text(0.5, 0.5, "No site was steered in this run.", ha="center", va="center")
        return figure
    sites = sort_sites({seen.site for seen in observations})
    sigmas = sorted({seen.sigma for seen in observations}, reverse=True)
    sums, counts = np.zeros((2, len(sites), len(sigmas)))
    for seen in observations:
        place = sites.index(seen.site), sigmas.index(seen.sigma)
        sums[place] += seen.after - seen.before
        counts[place] += 1
    table = np.where(counts, sums / np.maximum(counts, 1), np.nan)
    limit = max(1e-6, float(np.abs(sums / np.maximum(counts, 1)).max()))
    title = "Change of the mean coordinate along r (blank: not steered)"
    return _site_table(table, [str(site) for site in sites], sigmas, limit, title, "after - before")


def _site_table(
    table: np.ndarray, rows: list[str], sigmas: Sequence[float], limit: float, title: str, label: str
) -> Figure:
    figure = new_figure(figsize=(9, 2.2 + 0.17 * len(rows)))
    axes = figure.subplots()
    image = axes.imshow(table, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_yticks(range(len(rows)), rows, fontsize=6)
    columns = np.linspace(0, len(sigmas) - 1, min(8, len(sigmas))).round().astype(int)
    axes.set_xticks(columns, [f"{sigmas[i]:.2g}" for i in columns])
    axes.set_xlabel("noise level (sigma), first step on the left")
    axes.set_title(title)
    figure.colorbar(image, ax=axes, label=label, fraction=0.03)
    return figure


def by_kind(scores: Scores, path: Path) -> None:
    """Mean score of each kind of site over the schedule, with the spread over sites."""
    figure = new_figure(figsize=(7, 3.4))
    axes = figure.subplots()
    for kind in KINDS:
        rows = [scores.sites[site].score.numpy() for site in sort_sites(scores.sites) if site.kind == kind]
        if not rows:
            continue
        table = np.stack(rows)
        steps = np.arange(table.shape[1])
        (line,) = axes.plot(steps, table.mean(0), label=f"{kind} ({len(rows)} sites)")
        low, high = np.quantile(table, (0.25, 0.75), axis=0)
        axes.fill_between(steps, low, high, alpha=0.15, color=line.get_color())
    axes.set_xlabel("step")
    axes.set_ylabel("score D + C")
    axes.set_title("Scores by kind of site: mean, and middle half of the sites")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes.grid(alpha=0.3)
    save_figure(figure, path)


def cosine_matrix(names: Sequence[str], matrix: np.ndarray, path: Path) -> None:
    """Write `cosine_figure` as a PNG."""
    save_figure(cosine_figure(names, matrix), path)


def cosine_figure(names: Sequence[str], matrix: np.ndarray) -> Figure:
    """Mean cosines between vectors ``[V, V]``; blank where two share no site."""
    figure = new_figure(figsize=(2.6 + 0.7 * len(names), 1.8 + 0.6 * len(names)))
    axes = figure.subplots()
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            text = "-" if np.isnan(value) else f"{value:.2f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if abs(value) > 0.6 else "black")
    axes.set_title("Cosine of the leading directions", fontsize=10)
    figure.colorbar(image, ax=axes, fraction=0.04)
    return figure


def contrast_map(found: Search, path: Path) -> None:
    """Held-out discriminability over α (rows) and the number of components (columns)."""
    figure = new_figure(figsize=(5.5, 7))
    axes = figure.subplots()
    table = found.table.numpy()
    image = axes.imshow(table, aspect="auto", cmap="viridis", interpolation="nearest")
    axes.set_xticks(range(len(found.components)), [str(count) for count in found.components])
    shown = range(0, len(found.alphas), 4)
    axes.set_yticks(list(shown), [f"{found.alphas[i]:.3g}" for i in shown])
    alpha, count, value = found.best()
    axes.plot([found.components.index(count)], [found.alphas.index(alpha)], marker="*", markersize=14, color="red")
    axes.set_xlabel("components")
    axes.set_ylabel("alpha")
    title = f"cpca-paired: pairs held out, 0 to 1\nbest {value:.3f} (star); mean difference {found.mean_difference:.3f}"
    axes.set_title(title, fontsize=10)
    figure.colorbar(image, ax=axes, fraction=0.05)
    save_figure(figure, path)
