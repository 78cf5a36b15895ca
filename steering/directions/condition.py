"""Whether a prompt holds the concept: a row and a number, learned from the tokens of pairs.

    a prompt holds the concept where m(x) = max_t <x_t, v> - b > 0

    v, b = argmin mean_i log(1 + exp(-m(p_i))) + mean_j log(1 + exp(m(n_j))) + λ vᵀ S v        λ = `PENALTY`

over positives p_i and prompts without the concept n_j, the negatives and whatever else is to be kept: logistic
regression on bags of tokens, of which the one that says most decides (multiple-instance learning: Ray and Craven 2005).
S is the covariance of all tokens of the negatives, ridged by `RIDGE` tr S / C, so that what varies between prompts
without the concept is what the row does not listen to. The problem is not convex; solved from Fisher's discriminant

    v₀ = S⁻¹ (p̄ - n̄)        p̄ = Σ |p_i - n_i|² p_i / Σ |p_i - n_i|²

where each token of a positive is as heavy as it differs from its partner, so that the words of the concept count and
the rest of the sentence does not.

The idea, to steer only where a condition holds, is conditional activation steering (Lee et al., arXiv 2409.05907). Left
out of it: the condition as a cosine similarity of the mean of hidden states, and the search for a threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..models.conditioning import LENGTH

RIDGE = 0.1
"""As a share of the mean eigenvalue of S."""
PENALTY = 0.1
"""λ. Of the embedded model's concepts a tenth and a hundredth of it tell the same prompts apart."""


def condition(positive: Tensor, negative: Tensor, kept: Sequence[Tensor] = ()) -> Tensor:
    """The row v and the number b ``[C + 1]``.

    Args:
        positive: matched tokens of pairs ``[N, T, C]``.
        negative: their partners, as many.
        kept: tokens of other prompts that do not hold the concept, each ``[M, U, C]``.
    """
    mean = negative.flatten(0, 1).mean(0)
    apart = negative.flatten(0, 1) - mean
    spread = apart.mT @ apart / len(apart)
    spread = spread + RIDGE * spread.trace() / len(mean) * torch.eye(len(mean), dtype=spread.dtype)
    # With v = basis w the penalty is a plain norm of w, which the solver takes in few steps.
    basis = torch.linalg.inv(torch.linalg.cholesky(spread)).mT
    held, *without = (side - mean for side in (positive, negative, *kept))
    found = _separated(held, without, basis, _discriminant(held, without[0], basis))
    row = basis @ found[:-1]
    # Only their ratio counts; at unit length the file's float32 holds both well.
    length = row.norm().clamp_min(torch.finfo(row.dtype).tiny)
    return torch.cat([row, (found[-1] + mean @ row)[None]]) / length


def _discriminant(positive: Tensor, negative: Tensor, basis: Tensor) -> Tensor:
    """The coordinates w and the number b ``[C + 1]`` of Fisher's row, so long that prompts lie 8 apart."""
    weights = (positive - negative).square().sum(2, keepdim=True)
    concept = (weights * positive).sum((0, 1)) / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
    point = basis.mT @ concept
    more, less = ((side @ (basis @ point)).amax(1).mean() for side in (positive, negative))
    return 8 / (more - less).clamp_min(1e-6) * torch.cat([point, (more + less)[None] / 2])


def _separated(positive: Tensor, without: Sequence[Tensor], basis: Tensor, start: Tensor) -> Tensor:
    """The coordinates w and the number b ``[C + 1]`` that tokens of prompts tell, each ``[N, T, C]``."""
    from scipy.optimize import minimize
    from scipy.special import expit

    matrix, others = basis.numpy(), sum(map(len, without))
    bags = [(positive.numpy(), 1, len(positive)), *((side.numpy(), -1, others) for side in without)]

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        row, number = matrix @ point[:-1], point[-1]
        value, slope = PENALTY * point[:-1] @ point[:-1], np.zeros_like(point)
        for tokens, sign, count in bags:
            told = tokens @ row
            decisive = tokens[np.arange(len(tokens)), told.argmax(1)]
            margin = sign * (told.max(1) - number)
            pull = -sign * expit(-margin) / count
            value += np.logaddexp(0, -margin).sum() / count
            slope += np.concatenate([pull @ decisive, [-pull.sum()]])
        slope[:-1] = slope[:-1] @ matrix + 2 * PENALTY * point[:-1]
        return float(value), slope

    return torch.from_numpy(minimize(loss, start.numpy(), jac=True, method="L-BFGS-B").x)


def holds(tokens: Tensor, rule: Tensor) -> Tensor:
    """Whether the chunks that tokens ``[..., T, C]`` stand in hold the concept by a rule ``[C + 1]``: ``[..., T]``."""
    length = tokens.shape[-2]  # those of a longer prompt know of their own chunk alone
    told = (tokens @ rule[:-1]).unflatten(-1, (-1, LENGTH if length % LENGTH == 0 else length))
    return (told > rule[-1]).any(-1, keepdim=True).expand_as(told).flatten(-2)
