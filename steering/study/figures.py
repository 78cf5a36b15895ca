"""The figures of a study, derived from its measurements: nothing is measured here, and nothing is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..concepts.prompts import ROLES
from ..evaluate.distances import frechet_distance, kernel_test
from ..evaluate.metrics import percent_change
from ..evaluate.statistics import Estimate, estimate, holm, share, sign_flip_p, stays_within, upper_bound
from . import removal
from .detectors import judge_figures, nudity_figures
from .measurements import Measurements, by_prompt, kept, lost, presence
from .plan import COUNTERFACTUAL, Arm
from .records import ArmFigures, ClipChange, Difference, Distance, Loss, Removal
from .results import Result

MARGIN = 5.0
"""Points within which siblings and unrelated prompts count as kept."""
TEXTS = {"clip_prompt": "full prompt", "clip_concept": "concept", "clip_rest": "prompt without the concept"}
FEATURES = {"inception_features": "FID", "clip_features": "FD-CLIP"}
"""Features and what a Fréchet distance on them is called."""
ENOUGH = 4
"""Fewest prompts for a distance between sets of pictures."""


def matched(measurements: Measurements, other: Measurements, role: str) -> tuple[Measurements, Measurements]:
    """The rows of a role, and the same prompts and repetitions of another arm."""
    mine = measurements.subset(measurements.role(role))
    return mine, other.subset(mine.aligned(other))


def over_prompts(measurements: Measurements, values: np.ndarray) -> Estimate:
    """Mean over prompts of values a picture ``[N]``, NaN left out.

    Prompts of one phrase, those that show the same, and those steered by one draw of a control, are groups
    (`steering.evaluate.statistics.estimate`).
    """
    known, every = np.flatnonzero(~np.isnan(values)), measurements.names()
    names = [every[i] for i in known]
    prompts = {every[i]: measurements.items[i].prompt for i in known}
    shown = [" ".join(prompt.shows) for prompt in prompts.values()]
    phrases = [prompt.phrase for prompt in prompts.values()]
    draws = list({every[i]: measurements.items[i].draw for i in known}.values())
    groups = [labels for labels in (shown, phrases, draws) if all(labels)]
    return estimate(by_prompt(values[known], names), groups)


def over_pairs(measurements: Measurements, differences: np.ndarray) -> Difference:
    """Mean over prompts of differences a picture ``[N]``, and the p-value of "there is none"."""
    return Difference(
        over_prompts(measurements, differences), sign_flip_p(by_prompt(differences, measurements.names()))
    )


def arm_figures(arm: Arm, measurements: Mapping[str, Measurements]) -> ArmFigures:
    """Every figure of one arm."""
    mine, original = measurements[arm.name], measurements["original"]
    targets, before = matched(mine, original, "target")
    fallen = over_pairs(targets, presence(before) - presence(targets))
    rows = {role: mine.role(role) for role in ROLES}
    return ArmFigures(
        group=arm.group,
        n={role: len(set(mine.subset(rows[role]).names())) for role in ROLES},
        removal=removal_figures(targets, before, measurements.get(COUNTERFACTUAL)),
        drop=fallen.points,
        drop_p=fallen.p,
        clip={name: _clip_change(targets, before, name) for name in TEXTS if _any(targets, name)},
        change_rms=float(np.mean(targets.columns["change_rms"])),
        identical=bool(mine.columns["identical"].all()),
        clip_image=_clip_image(targets, before),
        losses={role: _loss(mine, original, role) for role in ROLES[1:] if rows[role].any()},
        # The second set of originals has no distance from itself to speak of.
        distance=distances(targets, before, None if arm.repeat else measurements.get("other_seed")),
        lpips={
            role: float(np.mean(mine.columns["lpips"][rows[role]]))
            for role in ROLES
            if "lpips" in mine.columns and rows[role].any()
        },
        nudity=nudity_figures(targets, before),
        judge=judge_figures(targets, before),
    )


def removal_figures(targets: Measurements, before: Measurements, without: Measurements | None) -> Removal:
    """The five parts of target prompts, beside the same rows unsteered and the arm without the concept."""
    parts = {"debris": removal.debris(targets), "kept": removal.kept_besides(targets)}
    means = {
        name: None if values is None or np.isnan(values).all() else over_prompts(targets, values).within(0, 100)
        for name, values in parts.items()
    }
    flags = removal.clean(targets, before)
    far = {}
    if without is not None:
        beside = without.subset(targets.aligned(without))
        for space, name in removal.SPACES.items():
            distance = removal.counterfactual(targets, before, beside, space)
            if distance is not None:
                far[name] = over_prompts(targets, distance).within(0, np.inf)
    # A prompt with several pictures is clean where more than half of them are.
    whole = None if flags is None else share(by_prompt(flags, targets.names()) > 0.5)
    there, turned = over_prompts(targets, presence(targets)).within(0, 100), removal.instead(targets, before)
    return Removal(there, means["debris"], means["kept"], whole, far, turned)


def _any(measurements: Measurements, column: str) -> bool:
    return column in measurements.columns and bool((~np.isnan(measurements.columns[column])).any())


def _clip_change(steered: Measurements, original: Measurements, column: str) -> ClipChange:
    after, before = steered.columns[column], original.columns[column]
    names = steered.names()
    means = by_prompt(after, names), by_prompt(before, names)
    change = percent_change(*means)
    return ClipChange(
        weakest=float(change.max()),
        mean=over_prompts(steered, percent_change(after, before)),
        strongest=float(change.min()),
        of_means=float(percent_change(np.array(means[0].mean()), np.array(means[1].mean()))),
        cosine=float(100 * means[0].mean()),
        cosine_change=over_prompts(steered, 100 * (after - before)),
        p=sign_flip_p(change),
    )


def _clip_image(steered: Measurements, original: Measurements) -> float | None:
    """Mean cosine of a picture and its original in CLIP's space."""
    if "clip_features" not in steered.features:
        return None
    return float((steered.features["clip_features"] * original.features["clip_features"]).sum(1).mean())


def _loss(mine: Measurements, original: Measurements, role: str) -> Loss:
    """What siblings or unrelated prompts lost, and whether they count as kept."""
    steered, before = matched(mine, original, role)
    losses = lost(steered, before)
    per_prompt = by_prompt(losses, steered.names())
    return Loss(
        kept=float(by_prompt(kept(steered, before), steered.names()).mean()),
        loss=over_prompts(steered, losses),
        bound=upper_bound(per_prompt),
        within=stays_within(per_prompt, MARGIN),
        gains_concept=over_prompts(steered, presence(steered) - presence(before)),
    )


def distances(steered: Measurements, original: Measurements, other_seed: Measurements | None) -> dict[str, Distance]:
    """Distances of the steered pictures from the originals, by the features there are."""
    found: dict[str, Distance] = {}
    clusters = np.unique(steered.names(), return_inverse=True)[1]
    if clusters.max(initial=0) + 1 < ENOUGH:
        return found
    other = None if other_seed is None else other_seed.subset(steered.aligned(other_seed))
    for column, name in FEATURES.items():
        if column not in steered.features:
            continue
        mine, base = steered.features[column], original.features[column]
        kernel, p = kernel_test(base, mine, clusters)
        found[name] = Distance(frechet_distance(mine, base), 1000 * kernel, p)
        if other is not None:
            floor = frechet_distance(base, other.features[column])
            apart = frechet_distance(mine, other.features[column])
            found[name] = replace(found[name], floor=floor, other_seed=apart, excess=apart - floor)
    return found


def compared(measurements: Mapping[str, Measurements], first: str, second: str) -> Difference | None:
    """Presence in one arm less that in another, on the target prompts of the smaller; None where an arm is missing."""
    if first not in measurements or second not in measurements:
        return None
    one, other = measurements[first], measurements[second]
    if len(one.items) <= len(other.items):
        one, other = matched(one, other, "target")
    else:
        other, one = matched(other, one, "target")
    return over_pairs(one, presence(one) - presence(other))


def study_figures(results: Sequence[Result]) -> dict[str, dict[str, ArmFigures]]:
    """Figures of every arm of every concept, with p-values adjusted over k and concepts."""
    figures = {one.subject.name: {arm.name: arm_figures(arm, one.measurements) for arm in one.arms} for one in results}
    family = {
        (concept, name): arm.drop_p
        for concept, arms in figures.items()
        for name, arm in arms.items()
        if arm.group == "study"
    }
    for (concept, name), p in holm(family).items():
        figures[concept][name] = replace(figures[concept][name], drop_p_holm=p)
    return figures
