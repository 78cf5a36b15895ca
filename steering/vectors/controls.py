"""Control vectors: the same edit, written along a direction that is not the concept's.

A control reads every token exactly as the vector does (with its readout, where it has one), at the same sites and noise
levels, and moves it by exactly the same amounts g_k, but along u_k instead of r_k: x' = x - λ Σ_k g_k u_k. So the size
of the edit is matched token by token, and whatever suppression remains is plain damage. The rows u are
orthonormal, of the vector's rank, and made from

    sign_flip      mean_i ±(a⁺_i - a⁻_i), signs drawn per pair (of tokens, in a capture of the text), made orthogonal to
                   the directions r
    isotropic      random directions, made orthogonal to r
    other_concept  another concept's mean difference, and its principal directions where the rank is above 1
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..activations.store import Activations
from ..directions.methods import mean_difference, principal
from ..sites import Site
from .vector import SteeringVector


def sign_flip(vector: SteeringVector, activations: Activations, seed: int = 0) -> SteeringVector:
    """The mean difference with signs flipped at random within pairs, one draw a row."""
    generator = torch.Generator().manual_seed(seed)

    def flipped(site: Site, rows: Tensor) -> Tensor:
        positive, negative = activations.tensors[site]
        return _beside(rows, torch.einsum("kn,nsc->skc", signs[: rows.shape[1]], positive - negative))

    most = max(entry.direction.shape[1] for entry in vector.sites.values())
    signs = torch.randint(0, 2, (most, activations.rows), generator=generator) * 2.0 - 1
    return _rewritten(vector, flipped)


def isotropic(vector: SteeringVector, seed: int = 0) -> SteeringVector:
    """Random directions per site and noise level."""
    generator = torch.Generator().manual_seed(seed)
    return _rewritten(vector, lambda _site, rows: _beside(rows, torch.randn(rows.shape, generator=generator)))


def other_concept(vector: SteeringVector, other: Activations) -> SteeringVector:
    """Another concept's directions, left as they are."""

    def theirs(site: Site, rows: Tensor) -> Tensor:
        positive, negative = other.tensors[site].double()
        rank = rows.shape[1]
        method = mean_difference if rank == 1 else principal
        return torch.stack([method(positive[:, step], negative[:, step], rank) for step in range(len(rows))]).float()

    return _rewritten(vector, theirs)


def _beside(rows: Tensor, written: Tensor) -> Tensor:
    """What of some rows ``[S, J, C]`` is orthogonal to others ``[S, K, C]``."""
    return written - written @ rows.mT @ rows


def _rewritten(vector: SteeringVector, make: Callable[[Site, Tensor], Tensor]) -> SteeringVector:
    """The vector written along other rows, made of its own ``[S, K, C]`` and orthonormalised."""
    sites = {}
    for site, entry in vector.sites.items():
        basis, triangle = torch.linalg.qr(make(site, entry.direction).mT)
        signs = torch.where(triangle.diagonal(dim1=1, dim2=2) < 0, -1.0, 1.0)  # QR may turn a row round
        sites[site] = replace(entry, direction=(basis * signs[:, None]).mT.contiguous(), readout=entry.rows_read)
    return replace(vector, sites=sites)
