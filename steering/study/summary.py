"""A concept's result in a sentence, before any table."""

from __future__ import annotations

from .plan import COUNTERFACTUAL
from .records import ArmFigures, Figures

FEW = 20
"""Target prompts below which a figure is a hint at most."""
OTHERS = {"sibling": "related prompts", "unrelated": "other prompts"}


def summary(concept: str, figures: Figures) -> str:
    """What became of the concept in the setting that counts: the chosen one, or the one that was evaluated."""
    arm = figures.get("chosen") or figures.get("steered")
    if arm is None:
        return ""
    count, before = arm.n["target"], figures["original"].presence.mean
    parts = [
        f"{count} prompts with {concept}",
        f"presence of it, of 100: {before:.0f} drawn plainly, {arm.presence.mean:.0f} steered",
        *_clean(arm, figures.get(COUNTERFACTUAL)),
        *[f"{OTHERS[role]} lose {part.loss.mean:.0f} points" for role, part in arm.losses.items()],
        *[f"fewer than {FEW} prompts are a hint and prove nothing"] * (count < FEW),
    ]
    return "; ".join(parts) + "."


def _clean(arm: ArmFigures, bare: ArmFigures | None) -> list[str]:
    if arm.removal.clean is None:
        return []
    mean = arm.removal.clean.mean
    clean = f"{mean:.0f} % of the prompts come out clean (it is gone, nothing is broken, the rest is there)"
    if bare is None or bare.removal.clean is None:
        return [clean]
    return [f"{clean}, and {bare.removal.clean.mean:.0f} % where the prompt does not ask for it"]
