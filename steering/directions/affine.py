"""The affine map that takes positives to their negatives and leaves negatives where they are, at a limited rank.

    x' = x + D (x - μ)        D = argmin Σ_i |D (p_i - μ) - (n_i - p_i)|² + β Σ_j |D (k_j - μ)|² + ρ |D|²

over pairs (p_i, n_i), μ the negatives' mean, and what is kept k_j: the negatives, and whatever else is to be protected.
In closed form, with S = Σ (p_i - μ)(p_i - μ)ᵀ + β Σ (k_j - μ)(k_j - μ)ᵀ, β being 1 where nothing else is said,

    D = Σ (n_i - p_i)(p_i - μ)ᵀ (S + ρ 1)⁻¹        ρ = `RIDGE` tr S / C

The best D of rank K is U Uᵀ D, U the leading left singular vectors of D S^½ (reduced-rank regression, Izenman 1975).
Tokens are moved along u_j and read with w_j = -Dᵀ u_j, relative to μ: a projection with a readout of its own at
strength 1, gate all, reference negative. Which basis u of the span is taken makes no difference.

It is what UCE (arXiv 2308.14761) and MidSteer (affine steering with what is to be kept) solve, the former for the
weights of keys and values, in the form of an activation's edit. Left out: weights of single terms.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import SteeringError
from ..linalg import lead_first

RIDGE = 1e-3
"""ρ as a share of the mean eigenvalue of S."""


def affine_rows(positive: Tensor, negative: Tensor, rank: int = 1, kept: Tensor | None = None) -> Tensor:
    """The rows that tokens are moved along, orthonormal ``[K, C]``, from pairs ``[N, C]`` and what is kept ``[M, C]``.

    Raises:
        SteeringError: a rank below 1, or above the number of pairs or channels.
    """
    if not 1 <= rank <= min(positive.shape):
        raise SteeringError(f"rank {rank} is not within 1 to {min(positive.shape)}, the number of pairs or channels")
    change, second = _map_of(positive, negative, kept)
    values, vectors = torch.linalg.eigh(second)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.mT
    rows = torch.linalg.svd(change @ root).U[:, :rank].mT
    return lead_first(rows, (positive - negative).mean(0))


def affine_readout(
    positive: Tensor,
    negative: Tensor,
    rows: Tensor,
    kept: Tensor | None = None,
    *,
    ridge: float = RIDGE,
    staying: float = 1.0,
) -> Tensor:
    """The rows that tokens are read with ``[K, C]``: w_j = -Dᵀ u_j for rows u ``[K, C]``.

    Args:
        positive: of prompts with the concept ``[N, C]``.
        negative: their partners ``[N, C]``.
        rows: orthonormal, what tokens are moved along.
        kept: what else stays ``[M, C]``.
        ridge: ρ as a share of the mean eigenvalue of S.
        staying: β, the weight of negatives and what is kept.
    """
    change, _ = _map_of(positive, negative, kept, ridge, staying)
    return -rows @ change


def _map_of(
    positive: Tensor, negative: Tensor, kept: Tensor | None, ridge: float = RIDGE, staying: float = 1.0
) -> tuple[Tensor, Tensor]:
    """D and S + ρ 1, both ``[C, C]``."""
    mean = negative.mean(0)
    here, there = positive - mean, (negative if kept is None else torch.cat([negative, kept])) - mean
    second = here.mT @ here + staying * there.mT @ there
    width = len(second)
    second = second + ridge * second.trace() / width * torch.eye(width, dtype=second.dtype)
    return torch.linalg.solve(second, here.mT @ (negative - positive)).mT, second
