"""How clean a concept's removal is: five parts of a target prompt's picture, as values a picture.

    presence         0-100, of the concept
    debris           0-100, of something broken, ghosted, half faded or mixed
    kept             0-100, of what else the prompt asks for
    clean            whether the concept is absent, no debris there, and the rest kept
    counterfactual   D(steered, c) / mean D(original, c), c the picture of the prompt without the concept from the same
                     noise, D the Euclidean distance of features (LPIPS's own is its square): 0 as if never asked for,
                     1 nothing gained

A companion that is doubled, or a sibling in the concept's place, is clean. What was not measured is None: without a
judge of debris there is no ``clean``.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from .measurements import Measurements, presence

THERE = 50.0
"""From so many points on something counts as there."""
SPACES = {"judge_features": "judge", "clip_features": "CLIP", "lpips_features": "LPIPS"}
"""Features in which pictures are compared with their counterfactual -> what the space is called."""
SAME = 1e-3
"""Distance of features below which a picture already is its counterfactual, so that nothing could be gained."""


def debris(measurements: Measurements) -> np.ndarray | None:
    """0-100 debris ``[N]``: the embedded judge's, else what a vision language model says remains."""
    return measurements.columns.get("debris", measurements.columns.get("judge_remains"))


def kept_besides(measurements: Measurements) -> np.ndarray | None:
    """0-100 presence of what the prompt asks for besides the concept ``[N]``, NaN where that is nothing."""
    return measurements.columns.get("rest")


def faults(steered: Measurements) -> np.ndarray:
    """How bad target pictures are, 0-100 ``[N]``: the most of presence, debris and what else is asked for and lost."""
    broken, rest = debris(steered), kept_besides(steered)
    parts = [presence(steered), broken, None if rest is None else 100 - rest]
    return np.nanmax(np.stack([part for part in parts if part is not None]), axis=0)


def clean(steered: Measurements, original: Measurements) -> np.ndarray | None:
    """Which pictures are clean, 0 or 1 ``[N]``; ``original`` holds the same rows unsteered.

    What the original lacked already counts as kept: it was not steering that took it.
    """
    broken, rest, before = debris(steered), kept_besides(steered), kept_besides(original)
    if broken is None or rest is None or before is None:
        return None
    lost = (rest < THERE) & (before >= THERE)  # NaN is neither
    return ((presence(steered) < THERE) & (broken < THERE) & ~lost).astype(float)


def instead(steered: Measurements, original: Measurements) -> dict[str, float]:
    """What appeared where the concept is absent, in percent of all pictures, commonest first.

    Things and styles that neither the prompt asked for nor the original showed; pictures with nothing new are
    ``nothing``, those in which the concept is still there are in none.
    """
    if "unasked" not in steered.columns or "unasked" not in original.columns:
        return {}
    counts = Counter[str]()
    for after, before, there in zip(
        steered.columns["unasked"], original.columns["unasked"], presence(steered) >= THERE, strict=True
    ):
        new = set(filter(None, str(after).split(", "))) - set(str(before).split(", "))
        counts.update([] if there else sorted(new) or ["nothing"])
    return {name: 100 * count / len(steered.items) for name, count in counts.most_common()}


def counterfactual(
    steered: Measurements, original: Measurements, without: Measurements, space: str
) -> np.ndarray | None:
    """Distance to the counterfactual ``[N]`` in a feature space, NaN where none is known or it is the original.

    Args:
        steered: N pictures.
        original: the same rows unsteered.
        without: the same rows, drawn from the prompts without the concept.
        space: of `SPACES`.
    """
    if any(space not in side.features for side in (steered, original, without)):
        return None
    known = np.array([bool(item.prompt.rest) for item in steered.items], bool)
    gone, asked = (
        np.linalg.norm(side.features[space] - without.features[space], axis=1) for side in (steered, original)
    )
    usable = known & (asked > SAME)
    if not usable.any():
        return None
    return np.where(usable, gone / asked[usable].mean(), np.nan)
