"""What a setting does on dev prompts, as the means that settings are compared by."""

from __future__ import annotations

import numpy as np

from ..concepts.prompts import ROLES
from .choice import Outcome
from .figures import matched, removal_figures
from .measurements import Measurements, by_prompt, lost
from .removal import faults
from .setting import Setting


def outcome_of(
    setting: Setting, steered: Measurements, original: Measurements, without: Measurements | None = None
) -> Outcome:
    """What a setting does on dev prompts, as means over them; ``without`` is the counterfactual's arm."""
    targets, before = matched(steered, original, "target")
    parts = removal_figures(targets, before, without)
    losses = {role: _loss(steered, original, role) for role in ROLES[1:]}
    others = ~steered.role("target")
    bad = np.sort(faults(targets))
    return Outcome(
        setting,
        presence=parts.presence.mean,
        debris=None if parts.debris is None else parts.debris.mean,
        kept=None if parts.kept is None else parts.kept.mean,
        clean=None if parts.clean is None else parts.clean.mean,
        counterfactual=parts.distance,
        worst=float(bad[-max(1, len(bad) // 3) :].mean()),
        sibling=losses["sibling"],
        unrelated=losses["unrelated"],
        change=float(steered.columns["change_rms"][others].mean()) if others.any() else 0.0,
    )


def _loss(steered: Measurements, original: Measurements, role: str) -> float:
    """Mean points that prompts of a role lost; a concept may come without them, which then lose nothing."""
    mine, before = matched(steered, original, role)
    return float(by_prompt(lost(mine, before), mine.names()).mean()) if mine.items else 0.0
