"""The figures of a study, derived from its measurements: nothing is measured here, and nothing is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..concepts.prompts import ROLES
from ..evaluate.distances import frechet_distance, kernel_test
from ..evaluate.metrics import percent_change
from ..evaluate.nudity import THRESHOLDS
from ..evaluate.statistics import equivalence_p, estimate, holm, mcnemar_p, share, sign_flip_p, upper_bound
from .measurements import Measurements, by_prompt, kept, lost, presence
from .plan import Arm
from .results import Result

MARGIN = 5.0
"""Points within which siblings and unrelated prompts count as kept (two one-sided tests)."""
TEXTS = {"clip_prompt": "full prompt", "clip_concept": "concept", "clip_rest": "prompt without the concept"}
FEATURES = {"inception_features": "FID", "clip_features": "FD-CLIP"}
"""Features and what a Fréchet distance on them is called."""
ENOUGH = 4
"""Fewest prompts for a distance between sets of pictures."""


def rows_of(measurements: Measurements, chosen: np.ndarray) -> Measurements:
    """Some rows of the measurements, by a bool or integer index."""
    places = np.arange(len(measurements.items))[chosen]
    return Measurements(
        tuple(measurements.items[i] for i in places),
        tuple(measurements.pictures[i] for i in places),
        tuple(measurements.sha256[i] for i in places),
        {name: values[places] for name, values in measurements.columns.items()},
        {name: values[places] for name, values in measurements.features.items()},
    )


def matched(measurements: Measurements, other: Measurements, role: str) -> tuple[Measurements, Measurements]:
    """The rows of a role, and the same prompts and repetitions of another arm."""
    mine = rows_of(measurements, measurements.role(role))
    return mine, rows_of(other, mine.aligned(other))


def arm_figures(arm: Arm, measurements: Mapping[str, Measurements]) -> dict[str, Any]:
    """Every figure of one arm, beside the original's."""
    mine, original = measurements[arm.name], measurements["original"]
    targets, before = matched(mine, original, "target")
    names = targets.names()
    drop = by_prompt(presence(before) - presence(targets), names)
    figures: dict[str, Any] = {
        "group": arm.group,
        "n": {role: len(set(rows_of(mine, mine.role(role)).names())) for role in ROLES},
        "presence": asdict(estimate(by_prompt(presence(targets), names))),
        "drop": asdict(estimate(drop)),
        "drop_p": sign_flip_p(drop),
        "clip": {name: _clip_figures(targets, before, name) for name in TEXTS if _any(targets, name)},
        "change_rms": float(np.mean(targets.columns["change_rms"])),
        "identical": bool(mine.columns["identical"].all()),
        "clip_image": _clip_image(targets, before),
        "lost": {role: _lost(mine, original, role) for role in ROLES[1:] if mine.role(role).any()},
        # The second set of originals has no distance from itself to speak of.
        "distance": distances(targets, before, None if arm.repeat else measurements.get("other_seed")),
    }
    if "rest" in targets.columns and _any(targets, "rest"):
        figures["rest_lost"] = asdict(estimate(by_prompt(before.columns["rest"] - targets.columns["rest"], names)))
    if "lpips" in mine.columns:
        figures["lpips"] = {
            role: float(np.mean(mine.columns["lpips"][mine.role(role)])) for role in ROLES if mine.role(role).any()
        }
    if "nudity" in targets.columns:
        figures["nudity"] = _nudity(targets, before)
    if "judge_score" in targets.columns:
        figures["judge"] = _judge(targets, before)
    return figures


def _any(measurements: Measurements, column: str) -> bool:
    return column in measurements.columns and bool((~np.isnan(measurements.columns[column])).any())


def _clip_figures(steered: Measurements, original: Measurements, column: str) -> dict[str, Any]:
    """Change in percent of the source study's score, and of the cosine in points of 100."""
    names = steered.names()
    after, before = (by_prompt(side.columns[column], names) for side in (steered, original))
    change = percent_change(after, before)
    return {
        "weakest": float(change.max()),
        "mean": asdict(estimate(change)),
        "strongest": float(change.min()),
        "of_means": float(percent_change(np.array(after.mean()), np.array(before.mean()))),
        "cosine": float(100 * after.mean()),
        "cosine_change": asdict(estimate(100 * (after - before))),
        "p": sign_flip_p(change),
    }


def _clip_image(steered: Measurements, original: Measurements) -> float | None:
    """Mean cosine of a picture and its original in CLIP's space."""
    if "clip_features" not in steered.features:
        return None
    return float((steered.features["clip_features"] * original.features["clip_features"]).sum(1).mean())


def _lost(mine: Measurements, original: Measurements, role: str) -> dict[str, Any]:
    """What siblings or unrelated prompts lost, and whether they count as kept."""
    steered, before = matched(mine, original, role)
    names = steered.names()
    loss = by_prompt(lost(steered, before), names)
    return {
        "kept": float(by_prompt(kept(steered, before), names).mean()),
        "loss": asdict(estimate(loss)),
        "bound": upper_bound(loss),
        "equivalence_p": equivalence_p(loss, MARGIN),
    }


def distances(steered: Measurements, original: Measurements, other_seed: Measurements | None) -> dict[str, Any]:
    """Distances of the steered pictures from the originals, by the features there are.

    ``same_seed`` is the source study's form (paired with the originals); ``floor`` is that of two sets of originals
    with different seeds, ``other_seed`` that of the steered pictures from the second of them, ``excess`` their
    difference. ``kernel`` (KID, times 1000) and its p-value are of the paired form.
    """
    found: dict[str, Any] = {}
    clusters = np.unique(steered.names(), return_inverse=True)[1]
    if clusters.max(initial=0) + 1 < ENOUGH:
        return found
    other = None
    if other_seed is not None:
        other = rows_of(other_seed, steered.aligned(other_seed))
    for column, name in FEATURES.items():
        if column not in steered.features:
            continue
        mine, base = steered.features[column], original.features[column]
        kernel, p = kernel_test(base, mine, True, clusters)
        found[name] = {"same_seed": frechet_distance(mine, base), "kernel": 1000 * kernel, "kernel_p": p}
        if other is not None:
            floor = frechet_distance(base, other.features[column])
            apart = frechet_distance(mine, other.features[column])
            found[name] |= {"floor": floor, "other_seed": apart, "excess": apart - floor}
    return found


def _nudity(steered: Measurements, original: Measurements) -> dict[str, Any]:
    """NudeNet's score in the source study's form, and shares of flagged pictures."""
    figures: dict[str, Any] = {}
    names = steered.names()
    for name in ("nudity", "nudity_wide"):
        after, before = steered.columns[name], original.columns[name]
        figures[name] = {
            side: {"min": float(values.min()), "mean": float(values.mean()), "max": float(values.max())}
            for side, values in (("original", before), ("steered", after))
        }
        flags = {}
        for threshold in THRESHOLDS:
            # A prompt with several pictures is flagged where half of them are.
            flagged = [by_prompt((values >= 100 * threshold).astype(float), names) >= 0.5 for values in (before, after)]
            flags[f"{threshold:g}"] = {
                "original": asdict(share(flagged[0])),
                "steered": asdict(share(flagged[1])),
                "p": mcnemar_p(*flagged),
            }
        figures[name]["flagged"] = flags
    return figures


def _judge(steered: Measurements, original: Measurements) -> dict[str, Any]:
    """A vision language model's scores; what is missing is counted, and bounded by its worst case."""
    after, before = steered.columns["judge_score"], original.columns["judge_score"]
    both, names = ~np.isnan(after) & ~np.isnan(before), np.array(steered.names())
    figures: dict[str, Any] = {
        "answered": int((~np.isnan(after)).sum()),
        "refused": int((steered.columns["judge_status"] == "refused").sum()),
        "failed": int((steered.columns["judge_status"] == "error").sum()),
        "verdicts": {word: int((steered.columns["judge_verdict"] == word).sum()) for word in ("yes", "partly", "no")},
        "models": sorted(set(steered.columns["judge_model"].tolist()) - {""}),
    }
    if both.any():
        drop = by_prompt(before[both] - after[both], names[both].tolist())
        figures |= {
            "original": asdict(estimate(by_prompt(before, names.tolist()))),
            "score": asdict(estimate(by_prompt(after, names.tolist()))),
            "paired": {"original": float(before[both].mean()), "steered": float(after[both].mean())},
            "drop": asdict(estimate(drop)),
            "drop_p": sign_flip_p(drop),
            "worst_case": {
                "low": float(np.where(np.isnan(after), 0.0, after).mean()),
                "high": float(np.where(np.isnan(after), 100.0, after).mean()),
            },
        }
    return figures


def compared(measurements: Mapping[str, Measurements], first: str, second: str) -> dict[str, Any] | None:
    """Presence in one arm less that in another, on the target prompts of the smaller; None where an arm is missing."""
    if first not in measurements or second not in measurements:
        return None
    one, other = measurements[first], measurements[second]
    if len(one.items) <= len(other.items):
        one, other = matched(one, other, "target")
    else:
        other, one = matched(other, one, "target")
    difference = by_prompt(presence(one) - presence(other), one.names())
    return {**asdict(estimate(difference)), "p": sign_flip_p(difference)}


def study_figures(results: Sequence[Result]) -> dict[str, Any]:
    """Figures of every arm of every concept, with p-values adjusted over k and concepts."""
    figures = {one.subject.name: {arm.name: arm_figures(arm, one.measurements) for arm in one.arms} for one in results}
    family = {
        (concept, name): arm["drop_p"]
        for concept, arms in figures.items()
        for name, arm in arms.items()
        if arm["group"] == "study"
    }
    for (concept, name), p in holm(family).items():
        figures[concept][name]["drop_p_holm"] = p
    return figures
