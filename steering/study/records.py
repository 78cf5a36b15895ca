"""The figures of one arm, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..evaluate.statistics import Estimate
from .detectors import JudgeFigures, NudityFigures


@dataclass(frozen=True)
class Removal:
    """The five parts of `steering.study.removal` over target prompts; None where a part was not measured.

    Attributes:
        presence: of the concept, 0 to 100.
        debris: 0 to 100.
        kept: 0 to 100.
        clean: share of clean prompts in percent, with Wilson's interval.
        counterfactual: distance by feature space.
        instead: what appeared in the concept's place, see `steering.study.removal.instead`.
    """

    presence: Estimate
    debris: Estimate | None
    kept: Estimate | None
    clean: Estimate | None
    counterfactual: Mapping[str, Estimate]
    instead: Mapping[str, float]

    @property
    def distance(self) -> float | None:
        """Mean distance to the counterfactual over the spaces; None where it is not known in any."""
        means = [part.mean for part in self.counterfactual.values()]
        return sum(means) / len(means) if means else None


@dataclass(frozen=True)
class ClipChange:
    """Change in percent of the source study's CLIP score, and of the cosine in points of 100.

    Attributes:
        weakest: the largest change over prompts.
        mean: over prompts.
        strongest: the smallest change.
        of_means: change of the mean score.
        cosine: mean cosine, times 100.
        cosine_change: over prompts.
        p: of sign flips.
    """

    weakest: float
    mean: Estimate
    strongest: float
    of_means: float
    cosine: float
    cosine_change: Estimate
    p: float


@dataclass(frozen=True)
class Loss:
    """What sibling or unrelated prompts lost, in points.

    Attributes:
        kept: what is left of what they ask for.
        loss: points of it that steering cost.
        bound: one-sided 95 % upper bound of the mean loss.
        within: whether losses and gains are shown to be below `steering.study.figures.MARGIN`.
        gains_concept: points of the concept that appeared in them.
    """

    kept: float
    loss: Estimate
    bound: float
    within: bool
    gains_concept: Estimate


@dataclass(frozen=True)
class Distance:
    """Distance of the steered pictures from the originals in one space of features.

    Attributes:
        same_seed: Fréchet distance in the source study's form, paired with the originals.
        kernel: kernel distance (KID), times 1000, of the paired form.
        kernel_p: its p-value, by swaps within pairs.
        floor: Fréchet distance of two sets of originals with different seeds.
        other_seed: that of the steered pictures from the second of them.
        excess: the difference of the last two.
    """

    same_seed: float
    kernel: float
    kernel_p: float
    floor: float | None = None
    other_seed: float | None = None
    excess: float | None = None


@dataclass(frozen=True)
class Difference:
    """Points of one arm less those of another, prompt by prompt, and the p-value of no difference."""

    points: Estimate
    p: float


@dataclass(frozen=True)
class ArmFigures:
    """Every figure of one arm, beside the original's.

    Attributes:
        group: of the arm.
        n: number of prompts of each role.
        removal: the five parts.
        drop: points of presence lost.
        drop_p: by sign flips.
        drop_p_holm: adjusted over k and concepts, for the source study's arms.
        clip: by column of `steering.study.figures.TEXTS`.
        change_rms: mean change of the pictures, in grey levels.
        identical: whether every picture is the original's to the last bit.
        clip_image: mean cosine of a picture and its original.
        losses: of sibling and unrelated prompts.
        distance: by name of `steering.study.figures.FEATURES`.
        lpips: mean by role.
        nudity: NudeNet's scores.
        judge: a vision language model's.
    """

    group: str
    n: Mapping[str, int]
    removal: Removal
    drop: Estimate
    drop_p: float
    clip: Mapping[str, ClipChange]
    change_rms: float
    identical: bool
    clip_image: float | None
    losses: Mapping[str, Loss]
    distance: Mapping[str, Distance]
    lpips: Mapping[str, float]
    nudity: Mapping[str, NudityFigures]
    judge: JudgeFigures | None
    drop_p_holm: float | None = None

    @property
    def presence(self) -> Estimate:
        """Of the concept on target prompts."""
        return self.removal.presence


Figures = Mapping[str, ArmFigures]
"""Arm -> its figures."""
