"""Statistics over prompts: intervals, tests, and corrections for asking often.

The prompt is the unit throughout: pictures of one prompt with several seeds are averaged first (a cluster
bootstrap over prompts), since an interval over pictures covers far too seldom.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import stats

from ..errors import SteeringError

RESAMPLES = 9999
FEW = 20
"""Below so many prompts Student's t takes the place of the bootstrap, which then covers too seldom."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Estimate:
    """A mean over prompts with its two-sided 95 % interval; below two prompts there is none (NaN)."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.1f} [{self.low:.1f}, {self.high:.1f}]"


def estimate(values: np.ndarray, seed: int = 0) -> Estimate:
    """Mean of one value per prompt ``[N]`` with a percentile bootstrap interval; t below `FEW` prompts.

    The prompt is the unit: with several pictures a prompt, average them first.
    """
    values = np.asarray(values, np.float64)
    n, mean = len(values), float(np.mean(values)) if len(values) else float("nan")
    if n < 2:
        return Estimate(mean, float("nan"), float("nan"), n)
    if np.ptp(values) == 0:  # scipy says so with a warning
        return Estimate(mean, mean, mean, n)
    if n < FEW:
        interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        return Estimate(mean, float(interval.low), float(interval.high), n)
    low, high = np.quantile(_resampled(values, seed), (0.025, 0.975))
    return Estimate(mean, float(low), float(high), n)


def upper_bound(values: np.ndarray, seed: int = 0) -> float:
    """One-sided 95 % upper bound of the mean of ``[N]`` values over prompts: bootstrap, t below `FEW`."""
    values = np.asarray(values, np.float64)
    n = len(values)
    if n < 2:
        return float("nan") if not n or np.isnan(values).any() else float("inf")
    if np.ptp(values) == 0:  # scipy says so with a warning
        return float(values[0])
    if n < FEW:
        return float(stats.ttest_1samp(values, 0, alternative="less").confidence_interval(0.95).high)
    return float(np.quantile(_resampled(values, seed), 0.95))


def _resampled(values: np.ndarray, seed: int) -> np.ndarray:
    """Means of prompts drawn with replacement ``[RESAMPLES]``."""
    n = len(values)
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES) @ values / n


def sign_flip_p(differences: np.ndarray, permutations: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p-value of "steering changes nothing" from differences per prompt ``[N]``.

    Under it, each difference could as well have the other sign: the share of sign flips whose mean is as far from 0,
    over all of them where there are no more than ``permutations``, else over as many at random, the smallest p then
    being 1 / (permutations + 1).
    """
    differences = np.asarray(differences, np.float64)
    if len(differences) < 2:  # one prompt's difference is as far from 0 with either sign
        return 1.0
    result = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=permutations, vectorized=True, rng=seed
    )
    return float(min(1.0, result.pvalue))


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """p-values adjusted for their number (Holm 1979): p_(i) (m - i + 1), never falling, at most 1."""
    order = sorted(p_values, key=lambda name: p_values[name])
    adjusted, highest = {}, 0.0
    for i, name in enumerate(order):
        highest = max(highest, min(1.0, p_values[name] * (len(order) - i)))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}


def equivalence_p(differences: np.ndarray, margin: float) -> float:
    """p-value of "the mean differs by at least ``margin``": two one-sided t-tests (Schuirmann 1987), the larger.

    A small p says that what should stay has stayed, within the margin. "Not significant" would not say that.

    Raises:
        SteeringError: a margin that is not positive.
    """
    if margin <= 0:
        raise SteeringError(f"margin {margin} must be positive, in points")
    values = np.asarray(differences, np.float64)
    if len(values) < 2:
        return 1.0
    if not values.std():
        return float(abs(values[0]) >= margin)
    above: Any = stats.ttest_1samp(values, -margin, alternative="greater")
    below: Any = stats.ttest_1samp(values, margin, alternative="less")
    return float(max(above.pvalue, below.pvalue))


def share(flags: np.ndarray) -> Estimate:
    """Share of flagged prompts ``bool [N]`` in percent, with its Wilson interval."""
    n, count = len(flags), int(np.sum(flags))
    if not n:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    interval = stats.binomtest(count, n).proportion_ci(method="wilson")
    return Estimate(100 * count / n, 100 * float(interval.low), 100 * float(interval.high), n)


def mcnemar_p(before: np.ndarray, after: np.ndarray) -> float:
    """Exact McNemar p-value of paired flags ``bool [N]``: as many gained as lost a flag."""
    lost, gained = int((before & ~after).sum()), int((~before & after).sum())
    return float(stats.binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def area_under_curve(scores: np.ndarray, truth: np.ndarray) -> float:
    """AUROC of scores ``[N]`` against the truth ``bool [N]``: how often a true one scores above a false one."""
    positive, negative = scores[truth], scores[~truth]
    if not len(positive) or not len(negative):
        raise SteeringError("an AUROC needs pictures with and without the concept")
    return float(stats.mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative)))
