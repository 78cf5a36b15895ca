"""Pictures of results: layer x step heat map, scores by kind, and the same-seed gallery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from ..files import replacing
from ..navigator import Scores
from ..sites import KINDS, sort_sites

DPI = 110


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, bbox_inches="tight")


def heat_map(scores: Scores, path: Path, title: str = "") -> None:
    """Scores of every site (rows, in order of execution) at every noise level (columns)."""
    sites = sort_sites(scores.sites)
    table = scores.table().numpy()
    figure = Figure(figsize=(9, 2.2 + 0.17 * len(sites)))
    axes = figure.subplots()
    limit = max(0.1, float(np.abs(table).max()))
    image = axes.imshow(table, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_yticks(range(len(sites)), [str(site) for site in sites], fontsize=6)
    columns = np.linspace(0, len(scores.sigmas) - 1, min(8, len(scores.sigmas))).round().astype(int)
    axes.set_xticks(columns, [f"{float(scores.sigmas[i]):.2g}" for i in columns])
    axes.set_xlabel("noise level (sigma), first step on the left")
    axes.set_title(title or f"Steerability D + C ({scores.mode})")
    figure.colorbar(image, ax=axes, label="score", fraction=0.03)
    _save(figure, path)


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
    with replacing(path) as temporary:
        canvas.save(temporary, format="PNG")
