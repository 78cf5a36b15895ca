"""Whitening: reading a coordinate along a direction without what other things move with it."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import SteeringError


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

    Raises:
        SteeringError: scikit-learn is missing; the message says how to get it.
    """
    samples = torch.cat([positive, negative])
    centred = samples - samples.mean(0)
    average = centred.square().mean()
    if not average:  # nothing varies, so nothing is correlated
        return rows
    shrinkage = max(_shrinkage(samples), LEAST_SHRINKAGE)
    # Σ = a VᵀV-part + b I with the samples' singular vectors V, so Σ⁻¹ needs no C x C matrix.
    _, values, basis = torch.linalg.svd(centred, full_matrices=False)
    floor = shrinkage * average
    spread = (1 - shrinkage) * values.square() / len(samples) + floor
    inside = rows @ basis.mT
    solved = rows / floor + (inside * (1 / spread - 1 / floor)) @ basis  # R Σ⁻¹
    return torch.linalg.solve(solved @ rows.mT, solved)


LEAST_SHRINKAGE = 1e-6
"""Keeps Σ invertible where the samples seem to need no shrinkage."""


def _shrinkage(samples: Tensor) -> float:
    try:
        from sklearn.covariance import ledoit_wolf_shrinkage
    except ModuleNotFoundError:
        raise SteeringError("direction whitened needs scikit-learn: pip install scikit-learn") from None
    return float(ledoit_wolf_shrinkage(samples.double().numpy()))
