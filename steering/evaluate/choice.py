"""How one setting is chosen among many, on dev prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .prompts import ROLES
from .statistics import upper_bound

Setting = tuple[str, float, int, int]
"""(preset, strength, number of sites k, rank): one way of steering."""
SETTING = ("preset", "strength", "k", "rank")
ENOUGH = 10.0
"""Presence on dev with which one direction is enough; above it, several directions are tried as well."""
FINALISTS = 6
"""Settings that are compared once more, on more dev prompts."""
ALLOWED_LOSS = 5.0
"""Points that siblings and unrelated prompts may lose, as a one-sided 95 % upper bound on dev."""
TIE = 2.0
"""Points of presence that fifty prompts hardly tell apart."""
RULE = (
    f"All settings run on a few prompts; where one direction leaves more than {ENOUGH:g} points, or costs siblings or "
    f"unrelated prompts more than {ALLOWED_LOSS:g}, so do two and three principal directions. The {FINALISTS} of the "
    "lowest sum of presence and losses run on all dev prompts. Of those whose siblings and unrelated prompts lose at "
    f"most {ALLOWED_LOSS:g} points each (one-sided 95 % upper bounds), and that are within {TIE:g} points of the "
    "lowest presence among them, the one is chosen that changes the pictures of siblings and unrelated prompts least "
    "(root mean square of pixels); where none loses so little, the lowest sum. The study preset takes the k of lowest "
    "presence."
)


def setting_row(
    setting: Setting, presence: np.ndarray, losses: Mapping[str, np.ndarray], change: np.ndarray
) -> dict[str, Any]:
    """What `choose` compares.

    Args:
        setting: the setting.
        presence: presence of the concept on target prompts ``[N]``.
        losses: points lost by sibling and by unrelated prompts, ``[N]`` each.
        change: how far the pictures of the latter two moved ``[N]``.
    """
    row: dict[str, Any] = dict(zip(SETTING, setting, strict=True))
    row["presence"] = float(presence.mean())
    # A concept may come without siblings or unrelated prompts, which then cannot lose anything.
    row |= {role: float(losses[role].mean()) if len(losses[role]) else 0.0 for role in ROLES[1:]}
    row["bound"] = max(upper_bound(losses[role]) if len(losses[role]) else 0.0 for role in ROLES[1:])
    row["change"] = float(change.mean()) if len(change) else 0.0
    return row


def cost(sibling: float, unrelated: float) -> float:
    """Points lost by siblings and by unrelated prompts; a gain counts as none, and pays for nothing."""
    return max(sibling, 0.0) + max(unrelated, 0.0)


def total(row: Mapping[str, Any]) -> float:
    """Presence and losses together; a gain of siblings or unrelated prompts does not make up for presence."""
    return row["presence"] + cost(row["sibling"], row["unrelated"])


def enough(row: Mapping[str, Any]) -> bool:
    """Whether a setting takes the concept out at little cost."""
    return row["presence"] <= ENOUGH and max(row["sibling"], row["unrelated"]) <= ALLOWED_LOSS


def finalists(table: list[dict[str, Any]]) -> list[Setting]:
    """The settings to compare once more."""
    best = sorted(table, key=total)[:FINALISTS]
    return [(row["preset"], row["strength"], row["k"], row["rank"]) for row in best]


def choose(finals: list[dict[str, Any]]) -> dict[str, Any]:
    """The chosen setting, by `RULE`."""
    allowed = [row for row in finals if row["bound"] <= ALLOWED_LOSS]
    if allowed:
        lowest = min(row["presence"] for row in allowed)
        best = min((row for row in allowed if row["presence"] <= lowest + TIE), key=lambda row: row["change"])
    else:
        best = min(finals, key=total)
    return {name: best[name] for name in SETTING}
