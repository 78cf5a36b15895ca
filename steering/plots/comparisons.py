"""Settings and arms beside each other: presence against cost, intervals, changes prompt by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from .pictures import new_figure, save_figure


def curves(
    lines: Mapping[str, Sequence[tuple[float, float, str]]],
    points: Mapping[str, tuple[float, float]],
    path: Path,
    title: str,
) -> None:
    """Suppression against what it costs; towards the lower left is better.

    Args:
        lines: name -> (cost, presence, label) of settings along a curve.
        points: name -> (cost, presence) of single settings.
        path: PNG to write.
        title: above the plot.
    """
    figure = new_figure(figsize=(7.5, 4.4))
    axes = figure.subplots()
    for name, places in lines.items():
        axes.plot([x for x, _, _ in places], [y for _, y, _ in places], marker="o", markersize=4, label=name, alpha=0.8)
        for x, y, label in places:
            axes.annotate(label, (x, y), textcoords="offset points", xytext=(4, 4), fontsize=7)
    for (name, (x, y)), marker in zip(points.items(), "*DsP^v", strict=False):
        axes.plot([x], [y], marker=marker, markersize=10, linestyle="none", label=name)
    axes.set_xlabel("points lost by siblings and unrelated prompts")
    axes.set_ylabel("presence left, 0-100")
    axes.set_title(title)
    axes.set_ylim(-3, 103)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes.grid(alpha=0.3)
    save_figure(figure, path)


def pareto_plot(
    tried: Sequence[tuple[float, float]],
    finals: Sequence[tuple[float, float]],
    front: Sequence[tuple[float, float, str]],
    taken: tuple[float, float],
    path: Path,
    title: str,
) -> None:
    """Percent not removed over points lost: what was tried, the finalists, those that no other beats, the one taken.

    Args:
        tried: (cost, percent not removed) of the trials, on few prompts.
        finals: the same of the finalists, on all prompts.
        front: the same of the finalists that no other beats on both, with their names.
        taken: the one taken.
        path: PNG to write.
        title: above the plot.
    """
    figure = new_figure(figsize=(8, 5))
    axes = figure.subplots()
    # Costs span from tenths of a point to dozens; gains lie at 0.
    axes.set_xscale("symlog", linthresh=1.0)
    axes.plot([x for x, _ in tried], [y for _, y in tried], ".", color="0.7", label="trials, few prompts and steps")
    axes.plot([x for x, _ in finals], [y for _, y in finals], "o", color="C0", label="finalists, all dev prompts")
    axes.step([x for x, _, _ in front], [y for _, y, _ in front], where="post", color="C0", alpha=0.5, label="front")
    for number, (x, y, name) in enumerate(front, start=1):
        axes.annotate(str(number), (x, y), textcoords="offset points", xytext=(4, 5), fontsize=8)
        axes.plot([], [], " ", label=f"{number}: {name}")
    axes.plot([taken[0]], [taken[1]], "*", color="C3", markersize=15, label="taken")
    axes.set_xlabel("points lost by siblings and unrelated prompts")
    axes.set_ylabel("target prompts not cleanly removed, percent")
    axes.set_xlim(left=-0.1)
    axes.set_ylim(-3, 103)
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    save_figure(figure, path)


def intervals(rows: Mapping[str, tuple[float, float, float]], path: Path, title: str, label: str) -> None:
    """Means with their intervals, one line an arm: name -> (mean, low, high)."""
    figure = new_figure(figsize=(7, 0.8 + 0.24 * len(rows)))
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
    save_figure(figure, path)


def sorted_changes(changes: Mapping[str, np.ndarray], path: Path, title: str, label: str) -> None:
    """One value a prompt ``[N]``, sorted, a line an arm: shows the prompts that a mean and extremes hide."""
    figure = new_figure(figsize=(7, 3.4))
    axes = figure.subplots()
    for name, values in changes.items():
        axes.plot(np.linspace(0, 100, len(values)), np.sort(values), label=name)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set_xlabel("prompts, sorted, percent")
    axes.set_ylabel(label)
    axes.set_title(title)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes.grid(alpha=0.3)
    save_figure(figure, path)
