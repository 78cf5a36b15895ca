"""Statistics over prompts: intervals, tests, and corrections for asking often.

The prompt is the unit throughout: pictures of one prompt with several seeds are averaged first, since an interval over
pictures covers far too seldom.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import scipy  # whose parts come when they are first asked for: `stats` takes half a second

from ..errors import SteeringError

RESAMPLES = 9999
FEW = 20
"""Fewest prompts for a bootstrap."""
SMALL_LOSS = 20.0
"""Points up to which a loss is one of degree; beyond, something was destroyed."""
RARE_LEVEL, DEGREE_LEVEL = 0.04, 0.01
"""How the 5 % of `upper_bound` are shared between losses that are rare and total, and those of degree."""

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

    def within(self, least: float, most: float) -> Estimate:
        """The same with its interval cut to what the values can be, as a mean of 0 to 100 is neither less nor more."""
        low, high = np.clip([self.low, self.high], least, most)  # NaN stays
        return replace(self, low=float(low), high=float(high))


def estimate(values: np.ndarray, clusters: Sequence[Sequence[Hashable]] = (), seed: int = 0) -> Estimate:
    """Mean of one value per prompt ``[N]`` with a 95 % interval that holds the widest of several.

    These are Student's t; from `FEW` prompts the bootstrap BCa (Efron 1987), which follows a skewed distribution; and
    for every grouping of the prompts a t whose standard error treats the groups as the sample (Liang and Zeger 1986),
    since prompts of one phrase, or about one kind of thing, do not count as so many.

    Args:
        values: one a prompt; with several pictures a prompt, average them first.
        clusters: groupings, each with N labels.
        seed: of the bootstrap.
    """
    values = np.asarray(values, np.float64)
    n, mean = len(values), float(np.mean(values)) if len(values) else float("nan")
    if n < 2:
        return Estimate(mean, float("nan"), float("nan"), n)
    if np.ptp(values) < 1e-9:  # all the same but for rounding, of which scipy warns
        return Estimate(mean, mean, mean, n)
    half = max([_t_half(values, range(n)), *(_t_half(values, labels) for labels in clusters)])
    low, high = mean - half, mean + half
    if n >= FEW:
        made: Any = scipy.stats.bootstrap((values,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=seed, batch=1000)
        low, high = min(low, made.confidence_interval.low), max(high, made.confidence_interval.high)
    return Estimate(mean, float(low), float(high), n)


def _t_half(values: np.ndarray, labels: Sequence[Hashable]) -> float:
    """Half of the 95 % interval of the mean, the groups being the sample; 0 where there is one group only.

    SE² = G / (G - 1) Σ_g (Σ_{i in g} (x_i - x̄))² / N², with G - 1 degrees of freedom. With every prompt its own group
    this is Student's t.
    """
    _, groups = np.unique(np.array([str(label) for label in labels]), return_inverse=True)
    count = int(groups.max()) + 1
    if count < 2:
        return 0.0
    sums = np.bincount(groups, values - values.mean())
    error = np.sqrt(count / (count - 1) * np.square(sums).sum()) / len(values)
    return float(scipy.stats.t.ppf(0.975, count - 1) * error)


def upper_bound(losses: np.ndarray, most: float = 100.0) -> float:
    """One-sided 95 % upper bound of the mean of losses ``[N]`` over prompts, each at most ``most``.

    The larger of Student's t, and of a bound that holds where losses are rare and total: a t bound on the losses cut
    off at `SMALL_LOSS`, plus the rest, most - `SMALL_LOSS`, times the bound of Clopper and Pearson (1934) on the share
    of prompts that lose more. Where none of a hundred prompts lost anything, the mean may still be 2.5: a bootstrap,
    and t, would say 0.
    """
    losses = np.asarray(losses, np.float64)
    n = len(losses)
    if n < 2:
        return float("nan") if not n or np.isnan(losses).any() else float("inf")
    destroyed = int((losses > SMALL_LOSS).sum())
    rare = scipy.stats.binomtest(destroyed, n, alternative="less").proportion_ci(1 - RARE_LEVEL, "exact").high
    split = _t_bound(np.minimum(losses, SMALL_LOSS), DEGREE_LEVEL) + (most - SMALL_LOSS) * float(rare)
    return min(most, max(_t_bound(losses, RARE_LEVEL + DEGREE_LEVEL), split))


def _t_bound(values: np.ndarray, level: float) -> float:
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() + scipy.stats.t.ppf(1 - level, len(values) - 1) * error)


def stays_within(losses: np.ndarray, margin: float) -> bool:
    """Whether losses ``[N]`` and gains are both shown to be below a margin, by `upper_bound`.

    "Not significant" would not say that.

    Raises:
        SteeringError: a margin that is not positive.
    """
    if margin <= 0:
        raise SteeringError(f"margin {margin} must be positive, in points")
    losses = np.asarray(losses, np.float64)
    return upper_bound(losses) < margin and upper_bound(-losses) < margin


def sign_flip_p(differences: np.ndarray, permutations: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p-value of "steering changes nothing" from differences per prompt ``[N]``.

    Under it, each difference could as well have the other sign: the share of sign flips whose mean is as far from 0,
    over all of them where there are no more than ``permutations``, else over as many at random, the smallest p then
    being 1 / (permutations + 1).

    Raises:
        SteeringError: a difference that is not finite.
    """
    differences = np.asarray(differences, np.float64)
    if not np.isfinite(differences).all():
        raise SteeringError("differences must be finite; leave out prompts that were not measured")
    if len(differences) < 2:  # one prompt's difference is as far from 0 with either sign
        return 1.0
    result = scipy.stats.permutation_test(
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


def share(flags: np.ndarray) -> Estimate:
    """Share of flagged prompts ``bool [N]`` in percent, with its Wilson interval."""
    n, count = len(flags), int(np.sum(flags))
    if not n:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    interval = scipy.stats.binomtest(count, n).proportion_ci(method="wilson")
    return Estimate(100 * count / n, 100 * float(interval.low), 100 * float(interval.high), n)


def mcnemar_p(before: np.ndarray, after: np.ndarray) -> float:
    """Exact McNemar p-value of paired flags ``bool [N]``: as many gained as lost a flag."""
    lost, gained = int((before & ~after).sum()), int((~before & after).sum())
    return float(scipy.stats.binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def area_under_curve(scores: np.ndarray, truth: np.ndarray) -> float:
    """AUROC of scores ``[N]`` against the truth ``bool [N]``: how often a true one scores above a false one."""
    positive, negative = scores[truth], scores[~truth]
    if not len(positive) or not len(negative):
        raise SteeringError("an AUROC needs pictures with and without the concept")
    return float(scipy.stats.mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative)))
