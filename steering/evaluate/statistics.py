"""Means with intervals over prompts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 9999
# Two-sided 95 % quantiles of Student's t for 1 to 19 degrees of freedom.
_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09)


@dataclass(frozen=True)
class Estimate:
    """A mean over prompts with its two-sided 95 % interval."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.1f} [{self.low:.1f}, {self.high:.1f}]"


def estimate(values: np.ndarray, seed: int = 0) -> Estimate:
    """Mean of one value per prompt ``[N]`` with a percentile bootstrap interval; t below 20 prompts.

    The prompt is the unit: with several pictures a prompt, average them first.
    """
    values = np.asarray(values, np.float64)
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Estimate(mean, mean, mean, n)
    if n < 20:
        half = _T[n - 2] * float(values.std(ddof=1)) / n**0.5
        return Estimate(mean, mean - half, mean + half, n)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    low, high = np.quantile(weights @ values / n, (0.025, 0.975))
    return Estimate(mean, float(low), float(high), n)


def upper_bound(values: np.ndarray, seed: int = 0) -> float:
    """One-sided 95 % upper bound of the mean of ``[N]`` values over prompts (bootstrap)."""
    values = np.asarray(values, np.float64)
    weights = np.random.default_rng(seed).multinomial(len(values), np.full(len(values), 1 / len(values)), RESAMPLES)
    return float(np.quantile(weights @ values / len(values), 0.95))
