"""Distances between two sets of pictures, from their features: Fréchet and kernel, with their traps.

The Fréchet distance's plug-in estimate is biased upward by small samples (Chong & Forsyth, arXiv 1911.07023):
at 100 pictures two sets of the same distribution read far above 0. So it is only shown beside its floor, the
same distance between two sets of unsteered pictures. The kernel distance (KID, arXiv 1801.01401) has an
unbiased estimate, but not where the two sets share prompts and seeds: there the terms of a picture with its
own partner are left out, and the permutation test swaps within pairs.
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


def kernel_distance(kernel: np.ndarray, first: np.ndarray, second: np.ndarray, paired: bool) -> float:
    """Squared maximum mean discrepancy as a U-statistic, unbiased.

    Args:
        kernel: values between all rows ``[N, N]``.
        first: rows of one set.
        second: rows of the other.
        paired: whether ``first[i]`` and ``second[i]`` share prompt and seed; their terms are then left out.
    """
    n, m = len(first), len(second)
    if min(n, m) < 2 or (paired and n != m):
        raise SteeringError(
            f"a kernel distance needs at least 2 pictures a side, equally many in pairs; got {n} and {m}"
        )
    xx, yy, xy = kernel[np.ix_(first, first)], kernel[np.ix_(second, second)], kernel[np.ix_(first, second)]
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    across = (xy.sum() - np.trace(xy)) / (n * (n - 1)) if paired else xy.mean()
    return float(within - 2 * across)


def kernel_test(
    x: np.ndarray,
    y: np.ndarray,
    paired: bool,
    clusters: np.ndarray | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> tuple[float, float]:
    """KID of two sets of features ``[N, d]``, ``[M, d]`` and the p-value of "same distribution".

    In pairs the sides are swapped at random, together for pictures of one cluster (prompt); otherwise all pictures
    are dealt out anew.

    Args:
        x: one set.
        y: the other.
        paired: whether rows i share prompt and seed.
        clusters: number of the prompt of each pair ``[N]``; None takes every pair for a prompt of its own.
        permutations: how many; the smallest p is 1 / (permutations + 1).
        seed: of the permutations.
    """
    rng = np.random.default_rng(seed)
    together = np.concatenate([x, y]).astype(np.float64)
    kernel = polynomial_kernel(together, together)
    n, every = len(x), np.arange(len(together))
    groups = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    observed = kernel_distance(kernel, every[:n], every[n:], paired)
    beaten = 0
    for _ in range(permutations):
        if paired:
            swap = rng.random(groups.max() + 1) < 0.5
            swapped = swap[groups]
            first, second = np.where(swapped, every[n:], every[:n]), np.where(swapped, every[:n], every[n:])
        else:
            dealt = rng.permutation(len(together))
            first, second = dealt[:n], dealt[n:]
        beaten += kernel_distance(kernel, first, second, paired) >= observed
    return observed, (beaten + 1) / (permutations + 1)
