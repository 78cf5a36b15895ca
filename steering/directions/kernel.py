"""A map of tokens: an affine one, and near the tokens of the pairs what kernel ridge regression adds to it.

    x' = x - Σ_k g_k(x) q_k        g_k(x) = <w_k, x - μ> + Σ_m exp(-|x - c_m|² / 2h²) a_mk

q are as many of the differences' principal directions as hold `EXPLAINED` of their squares. Wanted is
g_k(p_i) = <p_i - n_i, q_k> over all pairs (p_i, n_i), and g(n_i) = 0 and g(z_j) = 0, so that what stands in prompts
without the concept, and whatever else is to be kept, z, stays where it is. The trend w is the affine map of that
(`steering.directions.affine`, ρ = `TREND_RIDGE` and β = `TREND_STAYING`), μ the mean of the n_i; the coefficients a are
the ridge solution of what it leaves, Y:

    A = (Φᵀ Φ + ρ K)⁻¹ Φᵀ Y        Φ = k(tokens, centres), K = k(centres, centres), ρ = `RIDGE`

A kernel about a mean that is linear is that of Rasmussen and Williams 2006, section 2.7 (left out: the trend's own
uncertainty); on few centres, the subset of regressors, section 8.3.1. The centres c_m are the tokens that a pivoted
Cholesky decomposition of the whole kernel picks one after the other, each the one that those before explain least
(Fine and Scheinberg 2001).

So a token is moved as far as the pairs' tokens near it were. One that is near to none, as every token is once a word
that no pair holds stands before it, is moved as the pairs' tokens were on the whole. How near is near, h, is the
narrowest of `WIDTHS` that leaves of held-out fifths of the pairs no more than `ENOUGH` times what the best leaves: a
wider one knows the pairs a little better, and moves what none of them showed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SteeringError
from ..linalg import lead_first
from .affine import affine_readout

EXPLAINED, MOST_ROWS = 0.97, 64
RIDGE = 0.1
"""ρ: how much of a token's coordinate is taken for chance, as a share of the kernel's own variance, 1."""
TREND_RIDGE, TREND_STAYING = 0.1, 2.0
"""Of the trend. Both larger than in an affine map alone: near the pairs it is mended, and far from them a cautious one
takes less of other things along. Chosen on the embedded model's dev prompts, as they stand and behind other words."""
WIDTHS = (0.01, 0.02, 0.05, 0.1, 0.3, 1.0)
"""h² as shares of the median squared distance between tokens."""
ENOUGH = 1.25
"""In root mean squares. Of the embedded model's concepts the narrowest widths were best for things, whose companions
are many, and one ten times as wide for a style, whose words stand in every pair; this tells them apart."""
MOST_CENTRES = 1024
LEAST_NEW = 0.02
"""Centres are added until no token has more than this share of its variance left."""
SAMPLE = 1000
"""Tokens whose distances are looked at for the median."""


@dataclass(frozen=True, eq=False)
class LocalMap:
    """The coordinates that tokens are to lose.

    Attributes:
        centres: tokens of the pairs ``[M, C]``.
        coefficients: what each adds to each coordinate ``[M, K]``.
        bandwidth: h ``[1]``.
        trend: w and -<w, μ>, by which tokens lose what they lose far from the centres ``[K, C + 1]``; None for nothing.
    """

    centres: Tensor
    coefficients: Tensor
    bandwidth: Tensor
    trend: Tensor | None = None

    def __call__(self, tokens: Tensor) -> Tensor:
        """The coordinates g ``[..., K]`` of tokens ``[..., C]``."""
        near = kernel(tokens, self.centres, self.bandwidth) @ self.coefficients
        return near if self.trend is None else near + along(self.trend, tokens)

    def to(self, device: torch.device) -> LocalMap:
        """The same map on another device, in float32."""
        trend = None if self.trend is None else self.trend.to(device, torch.float32)
        centres, coefficients, bandwidth = (
            part.to(device, torch.float32) for part in (self.centres, self.coefficients, self.bandwidth)
        )
        return LocalMap(centres, coefficients, bandwidth, trend)


def along(trend: Tensor, tokens: Tensor) -> Tensor:
    """<w_k, x - μ> ``[..., K]`` of tokens ``[..., C]`` by a trend ``[K, C + 1]``."""
    return tokens @ trend[:, :-1].mT + trend[:, -1]


def kernel(tokens: Tensor, centres: Tensor, bandwidth: Tensor) -> Tensor:
    """exp(-|x - c|² / 2h²) ``[..., M]`` of tokens ``[..., C]`` and centres ``[M, C]``."""
    squares = tokens.square().sum(-1, keepdim=True) + centres.square().sum(-1) - 2 * tokens @ centres.mT
    return (-squares.clamp_min(0) / (2 * bandwidth.square())).exp()


def principal_rows(positive: Tensor, negative: Tensor, rank: int = 1, kept: Tensor | None = None) -> Tensor:
    """The rows that tokens are moved along ``[K, C]``; K is found, not chosen.

    What is ``kept`` plays no part in them: `local_map` learns to leave it where it is.

    Raises:
        SteeringError: a rank other than 1.
    """
    if rank != 1:
        raise SteeringError(f"rank {rank} does not fit direction 'kernel', which takes as many as it needs; leave it 1")
    differences = positive - negative
    values, rows = torch.linalg.svd(differences, full_matrices=False)[1:]
    share = values.square().cumsum(0) / values.square().sum().clamp_min(torch.finfo(values.dtype).tiny)
    # No more than half of the channels, so that a control as wide has room beside them.
    count = min(int((share < EXPLAINED).sum()) + 1, MOST_ROWS, max(1, rows.shape[1] // 2), len(rows))
    return lead_first(rows[:count], differences.mean(0))


def local_map(positive: Tensor, negative: Tensor, rows: Tensor, folds: Tensor, kept: Tensor | None = None) -> LocalMap:
    """The map of pairs.

    Args:
        positive: tokens of prompts with the concept ``[N, C]``.
        negative: their partners ``[N, C]``.
        rows: orthonormal, what tokens are moved along ``[K, C]``.
        folds: which fifth of the pairs each token is of ``[N]``.
        kept: further tokens that are to stay ``[M, C]``.
    """
    some = positive[:: max(1, len(positive) // SAMPLE)]
    # By differences, and not by products, which do not give 0 for equal tokens: many an encoder pads with those.
    apart = torch.cdist(some, some, compute_mode="donot_use_mm_for_euclid_dist").square()
    typical = apart[apart > 0].median() if apart.any() else apart.new_ones(())
    widths = [(share * typical).sqrt().reshape(1) for share in WIDTHS]
    centres = positive[pivots(positive, widths[0])]
    bandwidth = _narrowest(widths, positive, negative, rows, centres, folds)
    stay = negative if kept is None else torch.cat([negative, kept])
    wanted = (positive - negative) @ rows.mT
    terms = _terms(positive, wanted, centres, bandwidth) + _terms(stay, None, centres, bandwidth)
    trend = _trend(positive, negative, rows, kept)
    return LocalMap(centres, terms.solved(kernel(centres, centres, bandwidth), trend), bandwidth, trend)


def _trend(positive: Tensor, negative: Tensor, rows: Tensor, kept: Tensor | None = None) -> Tensor:
    """Of pairs: the trend of a `LocalMap` ``[K, C + 1]``."""
    readout = affine_readout(positive, negative, rows, kept, ridge=TREND_RIDGE, staying=TREND_STAYING)
    return torch.cat([readout, -(readout @ negative.mean(0))[:, None]], dim=1)


@dataclass(frozen=True, eq=False)
class _Terms:
    """What the normal equations know of some tokens: Φᵀ Φ ``[M, M]``, Φᵀ Y ``[M, K]`` and Φᵀ (x, 1) ``[M, C + 1]``."""

    second: Tensor
    wanted: Tensor | float
    tokens: Tensor

    def __add__(self, other: _Terms) -> _Terms:
        return _Terms(self.second + other.second, self.wanted + other.wanted, self.tokens + other.tokens)

    def __sub__(self, other: _Terms) -> _Terms:
        return _Terms(self.second - other.second, self.wanted - other.wanted, self.tokens - other.tokens)

    def solved(self, among: Tensor, trend: Tensor) -> Tensor:
        """The coefficients ``[M, K]`` of what the trend leaves."""
        return torch.linalg.solve(self.second + RIDGE * among, self.wanted - self.tokens @ trend.mT)


def _terms(tokens: Tensor, wanted: Tensor | None, centres: Tensor, bandwidth: Tensor) -> _Terms:
    seen = kernel(tokens, centres, bandwidth).mT
    held = torch.cat([seen @ tokens, seen.sum(1, keepdim=True)], dim=1)
    return _Terms(seen @ seen.mT, 0.0 if wanted is None else seen @ wanted, held)


def _narrowest(
    widths: list[Tensor], positive: Tensor, negative: Tensor, rows: Tensor, centres: Tensor, folds: Tensor
) -> Tensor:
    """The width by what the other pairs say of each fifth of them."""
    fifths = [folds == fold for fold in folds.unique()]
    if len(fifths) < 2:
        return widths[-1]  # too few to hold any out
    held = [(positive[part], negative[part], (positive[part] - negative[part]) @ rows.mT) for part in fifths]
    trends = [_trend(positive[~part], negative[~part], rows) for part in fifths]
    errors = torch.empty(len(widths), len(held), dtype=positive.dtype)
    for i, width in enumerate(widths):
        among = kernel(centres, centres, width)
        parts = [_terms(one, there, centres, width) + _terms(other, None, centres, width) for one, other, there in held]
        whole = sum(parts[1:], start=parts[0])
        for j, (part, trend, (one, other, there)) in enumerate(zip(parts, trends, held, strict=True)):
            made = LocalMap(centres, (whole - part).solved(among, trend), width, trend)
            off = (made(one) - there).square().sum() + made(other).square().sum()
            errors[i, j] = off / there.square().sum().clamp_min(torch.finfo(off.dtype).tiny)
    left = errors.mean(1).sqrt().nan_to_num(torch.inf)
    return widths[int((left <= ENOUGH * left.min()).nonzero()[0])]


def pivots(tokens: Tensor, bandwidth: Tensor) -> Tensor:
    """Numbers ``[M]`` of the tokens ``[N, C]`` that are centres, in the order in which they were picked."""
    left = tokens.new_ones(len(tokens))
    factor = tokens.new_zeros(min(MOST_CENTRES, len(tokens)), len(tokens))
    found: list[int] = []
    for j in range(len(factor)):
        i = int(left.argmax())
        if left[i] < LEAST_NEW:
            break
        row = kernel(tokens, tokens[i : i + 1], bandwidth)[:, 0] - factor[:j, i] @ factor[:j]
        factor[j] = row / left[i].sqrt()
        left = left - factor[j].square()
        found.append(i)
    return torch.tensor(found)
