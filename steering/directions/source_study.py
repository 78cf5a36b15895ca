"""Contrastive PCA as the source study ran it, whose code differs from the method that its text describes.

Where the sample covariances of positives and negatives, C⁺ - C⁻, have at least `LEAST` eigenvectors U within
`EXPLAINED` of the sum of those eigenvalues that exceed `FLOOR`, a token x becomes

    x' = x - λ <x, w> d        w = unit(U Uᵀ r)        d = unit(U Uᵀ r + mean⁺)

with r the mean difference and mean⁺ the positives' mean: read along one direction, moved along another. Everywhere else
w = d = unit(r). U and mean⁺ are those of the *previous* step (the first two steps share the first's), r is the step's
own. Taken from its code as published (github.com/d-marretta/MultiLayerActivationSteering, commit c940845). Left out:
float16 arithmetic, and its captures without shared noise, which belong to the capture and not to the direction.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import SteeringError

FLOOR = 0.5
"""Least eigenvalue that counts; not relative, so it depends on the width and scale of a site."""
EXPLAINED = 0.95
LEAST = 5
"""Fewest components with which the study does not fall back on the mean difference."""


def components(positive: Tensor, negative: Tensor) -> Tensor | None:
    """The source study's components ``[K, C]`` of ``positive, negative [N, C]``, as rows; None where it finds too few.

    Computed in the span of the centred samples, outside of which C⁺ - C⁻ is nothing, so never C x C.
    """
    centred = torch.cat([positive - positive.mean(0), negative - negative.mean(0)])
    span = torch.linalg.qr(centred.mT)[0]
    contrast = torch.cov((positive @ span).mT) - torch.cov((negative @ span).mT)
    values, vectors = torch.linalg.eigh(contrast)
    values, vectors = values.flip(0), vectors.flip(1)
    values = values[values > FLOOR]
    if len(values) < LEAST:
        return None
    count = int((values.cumsum(0) / values.sum() < EXPLAINED).sum()) + 1
    return (span @ vectors[:, :count]).mT if count >= LEAST else None


def moved_along(positive: Tensor, negative: Tensor, rank: int = 1, previous: Tensor | None = None) -> Tensor:
    """The row that tokens are moved along, d ``[1, C]``.

    Args:
        positive: ``[N, C]`` of the step.
        negative: ``[N, C]`` of the step.
        rank: 1.
        previous: both sides ``[2, N, C]`` of the step before; the step's own, as at the first, if not given.

    Raises:
        SteeringError: another rank.
    """
    if rank != 1:
        raise SteeringError(f"rank {rank} does not fit direction 'cpca-source', which is a single one")
    refined, mean = _refined(positive, negative, previous)
    return torch.nn.functional.normalize((refined + mean)[None], dim=-1)


def read_along(positive: Tensor, negative: Tensor, previous: Tensor | None = None) -> Tensor:
    """The row that coordinates are read with, w ``[1, C]``; see `moved_along`."""
    return torch.nn.functional.normalize(_refined(positive, negative, previous)[0][None], dim=-1)


def _refined(positive: Tensor, negative: Tensor, previous: Tensor | None) -> tuple[Tensor, Tensor]:
    """U Uᵀ r and mean⁺; r and nothing where there are too few components ``[C]`` each."""
    before = (positive, negative) if previous is None else previous
    difference, rows = (positive - negative).mean(0), components(*before)
    if rows is None:
        return difference, torch.zeros_like(difference)
    return rows.mT @ (rows @ difference), before[0].mean(0)
