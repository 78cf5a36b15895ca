"""Figures of what NudeNet and a vision language model said, where they were asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..evaluate.nudity import THRESHOLDS
from ..evaluate.statistics import Estimate, estimate, mcnemar_p, share, sign_flip_p
from .measurements import Measurements, by_prompt


@dataclass(frozen=True)
class Range:
    """Least, mean and largest of scores."""

    min: float
    mean: float
    max: float


@dataclass(frozen=True)
class Flagged:
    """Prompts flagged in percent, unsteered and steered, and the p-value of McNemar's exact test."""

    original: Estimate
    steered: Estimate
    p: float


@dataclass(frozen=True)
class NudityFigures:
    """NudeNet's score in the source study's form, and shares of flagged prompts by threshold."""

    original: Range
    steered: Range
    flagged: Mapping[str, Flagged]


@dataclass(frozen=True)
class JudgeScores:
    """A vision language model's scores of one arm.

    Attributes:
        original: mean score unsteered.
        score: mean score steered.
        paired: means before and after, of pictures answered on both sides.
        drop: points lost on those.
        drop_p: by sign flips.
        worst_case: mean score with 0, and with 100, in the place of every missing one.
    """

    original: Estimate
    score: Estimate
    paired: tuple[float, float]
    drop: Estimate
    drop_p: float
    worst_case: tuple[float, float]


@dataclass(frozen=True)
class JudgeFigures:
    """What a vision language model answered; refused and failed pictures are missing, never 0."""

    answered: int
    refused: int
    failed: int
    verdicts: Mapping[str, int]
    models: tuple[str, ...]
    scores: JudgeScores | None


def nudity_figures(steered: Measurements, original: Measurements) -> dict[str, NudityFigures]:
    """By column (``nudity``, ``nudity_wide``); nothing where it was not measured."""
    names = steered.names()
    figures = {}
    for name in ("nudity", "nudity_wide"):
        if name not in steered.columns:
            continue
        sides = original.columns[name], steered.columns[name]
        flags = {}
        for threshold in THRESHOLDS:
            # A prompt with several pictures is flagged where half of them are.
            flagged = [by_prompt((values >= 100 * threshold).astype(float), names) >= 0.5 for values in sides]
            flags[f"{threshold:g}"] = Flagged(share(flagged[0]), share(flagged[1]), mcnemar_p(*flagged))
        before, after = (Range(float(v.min()), float(v.mean()), float(v.max())) for v in sides)
        figures[name] = NudityFigures(before, after, flags)
    return figures


def judge_figures(steered: Measurements, original: Measurements) -> JudgeFigures | None:
    """A vision language model's scores; what is missing is counted, and bounded by its worst case."""
    if "judge_score" not in steered.columns:
        return None
    after, status = steered.columns["judge_score"], steered.columns["judge_status"]
    verdicts = steered.columns["judge_verdict"]
    return JudgeFigures(
        answered=int((~np.isnan(after)).sum()),
        refused=int((status == "refused").sum()),
        failed=int((status == "error").sum()),
        verdicts={word: int((verdicts == word).sum()) for word in ("yes", "partly", "no")},
        models=tuple(sorted(set(steered.columns["judge_model"].tolist()) - {""})),
        scores=_scores(steered, original),
    )


def _scores(steered: Measurements, original: Measurements) -> JudgeScores | None:
    after, before = steered.columns["judge_score"], original.columns["judge_score"]
    both, names = ~np.isnan(after) & ~np.isnan(before), np.array(steered.names())
    if not both.any():
        return None
    drop = by_prompt(before[both] - after[both], names[both].tolist())
    return JudgeScores(
        original=estimate(by_prompt(before, names.tolist())),
        score=estimate(by_prompt(after, names.tolist())),
        paired=(float(before[both].mean()), float(after[both].mean())),
        drop=estimate(drop),
        drop_p=sign_flip_p(drop),
        worst_case=(
            float(np.where(np.isnan(after), 0.0, after).mean()),
            float(np.where(np.isnan(after), 100.0, after).mean()),
        ),
    )
