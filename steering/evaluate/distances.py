"""Distances between two sets of pictures, from their features: Fréchet and kernel, with their traps.

The Fréchet distance's plug-in estimate is biased upward by small samples (Chong & Forsyth, arXiv 1911.07023):
at 100 pictures two sets of the same distribution read far above 0. So it is only shown beside its floor, the
same distance between two sets of unsteered pictures. The kernel distance (KID, arXiv 1801.01401) has an
unbiased estimate, but not where the two sets share prompts and seeds, as they do here: the terms of a picture with its
own partner are left out, and the permutation test swaps within pairs. Left out of the paper: sets that share nothing.
"""

from __future__ import annotations

import numpy as np

from ..errors import SteeringError

PERMUTATIONS = 999


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Fréchet distance of two sets of features ``[N, d]``, ``[M, d]``.

    |m_x - m_y|² + tr(S_x + S_y - 2 (S_x S_y)^½), with tr (S_x S_y)^½ as the nuclear norm of the product of the
    centred data matrices: exact, and without a d x d matrix root. On Inception features it is FID (arXiv
    1706.08500), on CLIP features it is called FD-CLIP.

    Raises:
        SteeringError: fewer than two pictures on a side.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) < 2 or len(y) < 2:
        raise SteeringError(f"a distance needs at least 2 pictures a side, got {len(x)} and {len(y)}")
    mean_x, mean_y = x.mean(0), y.mean(0)
    centred_x, centred_y = (x - mean_x) / (len(x) - 1) ** 0.5, (y - mean_y) / (len(y) - 1) ** 0.5
    nuclear = np.linalg.svd(centred_x @ centred_y.T, compute_uv=False).sum()
    spread = np.square(centred_x).sum() + np.square(centred_y).sum()
    return float(np.square(mean_x - mean_y).sum() + spread - 2 * nuclear)


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """KID's kernel (<x, y> / d + 1)³ of rows ``[N, d]``, ``[M, d]``."""
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def kernel_distance(kernel: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Squared maximum mean discrepancy of pairs as a U-statistic, unbiased.

    Args:
        kernel: values between all rows ``[M, M]``.
        first: rows of one set ``[N]``.
        second: rows of the other ``[N]``; those of ``second[i]`` and ``first[i]`` share prompt and seed, and what the
            kernel says of the two is left out.

    Raises:
        SteeringError: fewer than two pictures a side, or another number on each.
    """
    n = len(first)
    if n < 2 or n != len(second):
        raise SteeringError(
            f"a kernel distance needs at least 2 pictures a side, and equally many; got {n} and {len(second)}"
        )
    xx, yy, xy = (_between(kernel, *sides) for sides in ((first, first), (second, second), (first, second)))
    return xx + yy - 2 * xy


def _between(kernel: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """The mean of the kernel over the rows of two sets, those in the same place left out."""
    values = kernel[np.ix_(first, second)]
    return float((values.sum() - np.trace(values)) / (len(first) * (len(first) - 1)))


def kernel_test(
    x: np.ndarray,
    y: np.ndarray,
    clusters: np.ndarray | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> tuple[float, float]:
    """KID of two sets of features ``[N, d]`` in pairs, and the p-value of "same distribution".

    The sides are swapped at random, together for pictures of one cluster (prompt).

    Args:
        x: one set.
        y: the other; rows i share prompt and seed.
        clusters: number of the prompt of each pair ``[N]``; None takes every pair for a prompt of its own.
        permutations: how many; the smallest p is 1 / (permutations + 1).
        seed: of the permutations.
    """
    rng = np.random.default_rng(seed)
    together = np.concatenate([x, y]).astype(np.float64)
    kernel = polynomial_kernel(together, together)
    n, every = len(x), np.arange(len(together))
    groups = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    observed = kernel_distance(kernel, every[:n], every[n:])
    beaten = 0
    for _ in range(permutations):
        swapped = (rng.random(groups.max() + 1) < 0.5)[groups]
        first, second = np.where(swapped, every[n:], every[:n]), np.where(swapped, every[:n], every[n:])
        beaten += kernel_distance(kernel, first, second) >= observed
    return observed, (beaten + 1) / (permutations + 1)
