"""Whether a prompt holds the concept: a row and a number, learned from the tokens of pairs.

    a prompt holds the concept where max_t <x_t, v> > b

    v = (S + ρ 1)⁻¹ (p̄ - n̄)        p̄ = Σ |p_i - n_i|² p_i / Σ |p_i - n_i|²        ρ = `RIDGE` tr S / C
    b = half way from that maximum's largest value over negative prompts to its smallest over positive ones

p̄ is the mean of the positives' tokens, each as heavy as it differs from its partner, so that the words of the concept
count and the rest of the sentence does not; n̄ and S are mean and covariance of all tokens of the negatives (the ridge
form of Fisher's discriminant).

The idea, to steer only where a condition holds, is conditional activation steering (Lee et al., arXiv 2409.05907). Left
out of it: the condition as a cosine similarity of the mean of hidden states, and the search for a threshold.
"""

from __future__ import annotations

import torch
from torch import Tensor

RIDGE = 0.1
"""ρ as a share of the mean eigenvalue of S; the margin between prompts with and without was widest there."""
CHUNK = 77
"""Tokens that a text encoder sees at once; those of a longer prompt know of their own chunk alone."""


def condition(positive: Tensor, negative: Tensor) -> Tensor:
    """The row v and the number b ``[C + 1]`` from the matched tokens of pairs, each ``[N, T, C]``."""
    weights = (positive - negative).square().sum(2, keepdim=True)
    concept = (weights * positive).sum((0, 1)) / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
    tokens = negative.flatten(0, 1)
    mean = tokens.mean(0)
    spread = (tokens - mean).mT @ (tokens - mean) / len(tokens)
    spread = spread + RIDGE * spread.trace() / len(mean) * torch.eye(len(mean), dtype=spread.dtype)
    row = torch.linalg.solve(spread, concept - mean)
    # Only their ratio counts; at unit length the file's float32 holds both well.
    row = row / row.norm().clamp_min(torch.finfo(row.dtype).tiny)
    least, most = (positive @ row).amax(1).min(), (negative @ row).max()
    return torch.cat([row, (least + most)[None] / 2])


def holds(tokens: Tensor, rule: Tensor) -> Tensor:
    """Whether the chunks that tokens ``[..., T, C]`` stand in hold the concept by a rule ``[C + 1]``: ``[..., T]``."""
    length = tokens.shape[-2]
    told = (tokens @ rule[:-1]).unflatten(-1, (-1, CHUNK if length % CHUNK == 0 else length))
    return (told > rule[-1]).any(-1, keepdim=True).expand_as(told).flatten(-2)
