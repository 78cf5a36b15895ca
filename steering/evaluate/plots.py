"""Pictures of results: layer x step heat map, scores by kind, a run's report, cosines, grids and the gallery."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from ..contrast_search import Search
from ..files import replacing
from ..navigator import Scores
from ..observation import Observation
from ..sites import KINDS, sort_sites

DPI = 110


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, bbox_inches="tight")


def save_picture(picture: np.ndarray, path: Path) -> None:
    """Write a picture ``uint8 [H, W, 3]`` as a PNG, whole or not at all."""
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def as_array(figure: Figure) -> np.ndarray:
    """A figure as a picture ``uint8 [H, W, 3]``."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
    with Image.open(buffer) as image:
        return np.asarray(image.convert("RGB"))


def heat_map(scores: Scores, path: Path, title: str = "") -> None:
    """Write `heat_map_figure` as a PNG."""
    _save(heat_map_figure(scores, title), path)


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
        figure = Figure(figsize=(5, 1))
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
    figure = Figure(figsize=(9, 2.2 + 0.17 * len(rows)))
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
    figure = Figure(figsize=(7, 3.4))
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
    _save(figure, path)


def presence_by_k(rows: dict[str, dict[int, float]], original: float, path: Path) -> None:
    """Presence of the concept over the number of steered sites, one line a preset."""
    figure = Figure(figsize=(6, 3.4))
    axes = figure.subplots()
    axes.axhline(original, color="grey", linestyle="--", label="original")
    for preset, values in rows.items():
        axes.plot(list(values), list(values.values()), marker="o", label=preset)
    axes.set_xlabel("k, sites steered per step")
    axes.set_ylabel("presence, 0-100")
    axes.set_ylim(-3, 103)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    _save(figure, path)


def labelled_grid(
    pictures: Sequence[np.ndarray], labels: Sequence[str], columns: int, notes: Sequence[str] = ()
) -> np.ndarray:
    """Pictures ``uint8 [H, W, 3]`` of one size row by row, each under its label; one picture ``uint8 [H', W', 3]``.

    ``notes`` are written below the pictures, one each and of as many lines as there are, or none at all.
    """
    height, width = pictures[0].shape[:2]
    size = max(12, width // 16)
    under = max((note.count("\n") + 1 for note in notes), default=0) * (size + 4)
    head, gap, rows = size + 8, 6, -(-len(pictures) // columns)
    step = height + head + under + gap
    canvas = Image.new("RGB", (columns * (width + gap) + gap, rows * step + gap), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size)
    for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = gap + i % columns * (width + gap), gap + i // columns * step
        pen.text((left + 2, top + 2), label, fill="black", font=font)
        canvas.paste(Image.fromarray(picture), (left, top + head))
        if notes:
            pen.text((left + 2, top + head + height + 1), notes[i], fill="black", font=font, spacing=2)
    return np.asarray(canvas)


def gallery(columns: list[tuple[str, np.ndarray]], path: Path, rows: list[str], scale: int = 1) -> None:
    """Pictures of equal prompts and seeds side by side.

    Args:
        columns: (heading, pictures ``uint8 [N, H, W, 3]``) of each arm.
        path: PNG to write.
        rows: N captions, written under each row.
        scale: whole-number enlargement.
    """
    count, height, width = columns[0][1].shape[:3]
    height, width, gap, head, line = height * scale, width * scale, 4, 20, 16
    canvas = Image.new("RGB", (len(columns) * (width + gap) + gap, head + count * (height + line + gap)), "white")
    pen = ImageDraw.Draw(canvas)
    for i, (heading, pictures) in enumerate(columns):
        left = gap + i * (width + gap)
        pen.text((left, 4), heading, fill="black")
        for j, picture in enumerate(pictures):
            top = head + j * (height + line + gap)
            canvas.paste(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST), (left, top))
            if i == 0:
                pen.text((left, top + height + 1), rows[j], fill="black")
    save_picture(np.asarray(canvas), path)


def curves(
    lines: Mapping[str, Sequence[tuple[float, float, str]]],
    points: Mapping[str, tuple[float, float]],
    path: Path,
    title: str,
    axes_names: tuple[str, str] = ("points lost by siblings and unrelated prompts", "presence left, 0-100"),
) -> None:
    """Suppression against what it costs; towards the lower left is better.

    Args:
        lines: name -> (cost, presence, label) of settings along a curve.
        points: name -> (cost, presence) of single settings.
        path: PNG to write.
        title: above the plot.
        axes_names: of x and y.
    """
    figure = Figure(figsize=(7.5, 4.4))
    axes = figure.subplots()
    for name, places in lines.items():
        axes.plot([x for x, _, _ in places], [y for _, y, _ in places], marker="o", markersize=4, label=name, alpha=0.8)
        for x, y, label in places:
            axes.annotate(label, (x, y), textcoords="offset points", xytext=(4, 4), fontsize=7)
    for (name, (x, y)), marker in zip(points.items(), "*DsP^v", strict=False):
        axes.plot([x], [y], marker=marker, markersize=10, linestyle="none", label=name)
    axes.set_xlabel(axes_names[0])
    axes.set_ylabel(axes_names[1])
    axes.set_title(title)
    axes.set_ylim(-3, 103)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes.grid(alpha=0.3)
    _save(figure, path)


def pareto_plot(
    tried: Sequence[tuple[float, float]],
    finals: Sequence[tuple[float, float]],
    front: Sequence[tuple[float, float, str]],
    taken: tuple[float, float],
    path: Path,
    title: str,
) -> None:
    """Presence left over points lost: what was tried, the finalists, those that no other beats, and the one taken.

    Args:
        tried: (cost, presence) of the settings of the rounds, on few prompts.
        finals: the same of the finalists, on all prompts.
        front: the same of the finalists that no other beats on both, with their names.
        taken: the one taken.
        path: PNG to write.
        title: above the plot.
    """
    figure = Figure(figsize=(8, 5))
    axes = figure.subplots()
    # Costs span from tenths of a point to dozens; gains lie at 0.
    axes.set_xscale("symlog", linthresh=1.0)
    axes.plot([x for x, _ in tried], [y for _, y in tried], ".", color="0.7", label="rounds, few prompts and steps")
    axes.plot([x for x, _ in finals], [y for _, y in finals], "o", color="C0", label="finalists, all dev prompts")
    axes.step([x for x, _, _ in front], [y for _, y, _ in front], where="post", color="C0", alpha=0.5, label="front")
    for number, (x, y, name) in enumerate(front, start=1):
        axes.annotate(str(number), (x, y), textcoords="offset points", xytext=(4, 5), fontsize=8)
        axes.plot([], [], " ", label=f"{number}: {name}")
    axes.plot([taken[0]], [taken[1]], "*", color="C3", markersize=15, label="taken")
    axes.set_xlabel("points lost by siblings and unrelated prompts")
    axes.set_ylabel("presence left, 0-100")
    axes.set_xlim(left=-0.1)
    axes.set_ylim(-3, 103)
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    _save(figure, path)


def intervals(rows: Mapping[str, tuple[float, float, float]], path: Path, title: str, label: str) -> None:
    """Means with their intervals, one line an arm: name -> (mean, low, high)."""
    figure = Figure(figsize=(7, 0.8 + 0.24 * len(rows)))
    axes = figure.subplots()
    for i, (mean, low, high) in enumerate(rows.values()):
        axes.plot([low, high], [i, i], color="C0", linewidth=2)
        axes.plot([mean], [i], marker="o", markersize=4, color="C0")
    axes.set_yticks(range(len(rows)), list(rows), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(-3, 103)
    axes.set_xlabel(label)
    axes.set_title(title)
    axes.grid(alpha=0.3, axis="x")
    _save(figure, path)


def sorted_changes(changes: Mapping[str, np.ndarray], path: Path, title: str, label: str) -> None:
    """One value a prompt ``[N]``, sorted, a line an arm: shows the prompts that a mean and extremes hide."""
    figure = Figure(figsize=(7, 3.4))
    axes = figure.subplots()
    for name, values in changes.items():
        axes.plot(np.linspace(0, 100, len(values)), np.sort(values), label=name)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set_xlabel("prompts, sorted, percent")
    axes.set_ylabel(label)
    axes.set_title(title)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes.grid(alpha=0.3)
    _save(figure, path)


def cosine_matrix(names: Sequence[str], matrix: np.ndarray, path: Path) -> None:
    """Write `cosine_figure` as a PNG."""
    _save(cosine_figure(names, matrix), path)


def cosine_figure(names: Sequence[str], matrix: np.ndarray) -> Figure:
    """Mean cosines between vectors ``[V, V]``; blank where two share no site."""
    figure = Figure(figsize=(2.6 + 0.7 * len(names), 1.8 + 0.6 * len(names)))
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
    figure = Figure(figsize=(5.5, 7))
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
    _save(figure, path)
