"""Whitening: reading a coordinate along a direction without what other things move with it."""

from __future__ import annotations

import torch
from torch import Tensor


def whitened_readout(positive: Tensor, negative: Tensor, rows: Tensor) -> Tensor:
    """Rows ``[K, C]`` that coordinates are read with: W = (R Σ⁻¹ Rᵀ)⁻¹ R Σ⁻¹, so that W Rᵀ = I.

    R are the directions ``[K, C]`` and Σ is the covariance of positives and negatives together, shrunk towards a
    multiple of the identity. Suppression along R read with W, x' = x - λ Rᵀ W (x - μ), is LEACE at λ = 1 (Belrose et
    al., arXiv 2306.03819): of all affine maps after which the covariance with the concept is none, the one that moves
    activations least, measured in units of their own spread. Reading with R itself takes whatever correlates with R
    for the concept.

    LEACE wants more samples than channels. With about a hundred, Σ is shrunk as much as Ledoit and Wolf (2004) find
    best; with a strong shrinkage W goes to R. Left out: LEACE's own estimate of Σ from 50 000 prompts, and the
    covariance of single tokens, which a capture does not keep.

    Args:
        positive: ``[N, C]``.
        negative: ``[N, C]``.
        rows: orthonormal directions ``[K, C]``.
    """
    samples = torch.cat([positive, negative])
    centred = samples - samples.mean(0)
    average = centred.square().mean()
    if not average:  # nothing varies, so nothing is correlated
        return rows
    narrow = len(samples) >= rows.shape[1]
    moment = centred.mT @ centred if narrow else centred @ centred.mT
    shrinkage = max(ledoit_wolf(centred, moment), LEAST_SHRINKAGE)
    floor, share = shrinkage * average, (1 - shrinkage) / len(samples)
    shrunk = share * moment
    shrunk.diagonal().add_(floor)
    if narrow:
        solved = torch.linalg.solve(shrunk, rows.mT).mT  # R Σ⁻¹
    else:
        # Σ = share XᵀX + floor I, so by Woodbury's identity Σ⁻¹ = (I - share Xᵀ (share XXᵀ + floor I)⁻¹ X) / floor.
        solved = (rows - share * torch.linalg.solve(shrunk, centred @ rows.mT).mT @ centred) / floor
    return torch.linalg.solve(solved @ rows.mT, solved)


LEAST_SHRINKAGE = 1e-6
"""Keeps Σ invertible where the samples seem to need no shrinkage."""


def ledoit_wolf(centred: Tensor, moment: Tensor) -> float:
    """Ledoit and Wolf's shrinkage of the covariance of ``centred [N, C]`` towards a multiple of the identity, 0 to 1.

    b² / d² of their paper (2004, section 3.2). ``moment`` is XᵀX or XXᵀ, whichever is smaller: of |S|² both say the
    same, and Σ_i |x_i x_iᵀ|² = Σ_i |x_i|⁴.
    """
    count, width = centred.shape
    squared, average = moment.square().sum() / count**2, moment.trace() / count / width
    fourth = centred.square().sum(1).square().mean()
    apart = squared - width * average**2  # width · d²
    error = ((fourth - squared) / count).clamp(max=apart)  # width · b²
    return float(error / apart) if apart > 0 else 0.0
