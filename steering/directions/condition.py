"""Whether a prompt holds the concept, and from which word on: a row and two numbers, learned from the tokens of pairs.

    token t of a prompt holds the concept where   max_s <x_s, v> > b   and   max_{s ≤ t} <x_s, v> > o

    v = (S + ρ 1)⁻¹ (p̄ - n̄)        p̄ = Σ |p_i - n_i|² p_i / Σ |p_i - n_i|²        ρ = `RIDGE` tr S / C
    o = max over negative prompts of max_t <x_t, v>
    b = half way from o to the same maximum's smallest value over positive prompts

p̄ is the mean of the positives' tokens, each as heavy as it differs from its partner, so that the words of the concept
count and the rest of the sentence does not; n̄ and S are mean and covariance of all tokens of the negatives (the ridge
form of Fisher's discriminant). A causal text encoder lets later tokens know of the concept and earlier ones not, hence
s ≤ t: what comes before the concept's first word is the same with it and without. That word is the first to go beyond
every token of the negatives ("style" of "in the style of Van Gogh"); that the concept is meant, takes more.

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
    """The row v and the numbers b and o ``[C + 2]`` from the matched tokens of pairs, each ``[N, T, C]``."""
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
    return torch.cat([row, torch.stack([(least + most) / 2, most])])


def holds(tokens: Tensor, rule: Tensor) -> Tensor:
    """Whether tokens ``[..., T, C]`` hold the concept by a rule ``[C + 2]``: bool ``[..., T]``."""
    length = tokens.shape[-2]
    told = (tokens @ rule[:-2]).unflatten(-1, (-1, CHUNK if length % CHUNK == 0 else length))
    begun = (told > rule[-1]).cumsum(-1) > 0
    return (begun & (told > rule[-2]).any(-1, keepdim=True)).flatten(-2)
