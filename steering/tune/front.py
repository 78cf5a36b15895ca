"""What a search found, for readers: its plot and its table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..plots.comparisons import pareto_plot
from ..study.choice import Outcome, pareto, promising
from ..study.table import Table
from .search import Found


def front_plot(found: Found, path: Path, concept: str) -> None:
    """Percent not removed over points lost: trials, finalists, those that no other beats, and the one taken."""
    pareto_plot(
        [(one.cost, 100 - one.removed) for one in found.tried.values()],
        [(one.cost, 100 - one.removed) for one in found.finals],
        [(one.cost, 100 - one.removed, one.setting.name) for one in pareto(found.finals)],
        (found.taken.cost, 100 - found.taken.removed),
        path,
        f"{concept}: {len(found.tried)} settings tried on dev prompts, {len(found.given_up)} more given up at a glance",
    )


def front_table(title: str, outcomes: Sequence[Outcome], taken: Outcome | None = None) -> Table:
    """Some outcomes, the most promising first, and which of them no other beats.

    Args:
        title: what they are.
        outcomes: the outcomes.
        taken: the one that was taken.
    """
    front, rows = pareto(outcomes), []
    for one in promising(outcomes, len(outcomes)):
        mark = "taken" if one is taken else "yes" if one in front else ""
        numbers = (one.removed, one.presence, one.debris, one.sibling, one.unrelated)
        rows.append((one.setting.name, *("" if value is None else f"{value:.1f}" for value in numbers), mark))
    header = ("setting", "removed", "presence", "debris", "siblings lose", "unrelated lose", "front")
    return Table(title, header, tuple(rows))
