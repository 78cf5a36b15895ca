"""Control vectors: the same edit, written along a direction that is not the concept's.

A control reads every token exactly as the vector does, at the same sites and noise levels, and moves
it by exactly the same amount g(s), but along u instead of r: x' = x - λ g(<x, r>) u. So the size of
the edit is matched token by token, and whatever suppression remains is plain damage. u is

    sign_flip      unit(mean_i ±(a⁺_i - a⁻_i)), signs drawn per pair, made orthogonal to r
    isotropic      a random direction, made orthogonal to r
    other_concept  another concept's mean difference
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..activations import Activations
from ..sites import Site
from ..vector import SteeringVector


def sign_flip(vector: SteeringVector, activations: Activations, seed: int = 0) -> SteeringVector:
    """The mean difference with signs flipped at random within pairs."""
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (activations.pairs, 1, 1), generator=generator) * 2.0 - 1

    def flipped(site: Site, _direction: Tensor) -> Tensor:
        positive, negative = activations.tensors[site]
        return ((positive - negative) * signs).mean(0)

    return _rewritten(vector, flipped, orthogonal=True)


def isotropic(vector: SteeringVector, seed: int = 0) -> SteeringVector:
    """A random direction per site and noise level."""
    generator = torch.Generator().manual_seed(seed)
    return _rewritten(vector, lambda _site, row: torch.randn(row.shape, generator=generator), orthogonal=True)


def other_concept(vector: SteeringVector, other: Activations) -> SteeringVector:
    """Another concept's mean difference, left as it is."""
    return _rewritten(vector, lambda site, _row: (other.tensors[site][0] - other.tensors[site][1]).mean(0), False)


def _rewritten(vector: SteeringVector, make: Callable[[Site, Tensor], Tensor], orthogonal: bool) -> SteeringVector:
    sites = {}
    for site, entry in vector.sites.items():
        lead = entry.direction[:, 0]  # [S, C]
        written = make(site, lead)
        if orthogonal:
            written = written - (written * lead).sum(-1, keepdim=True) * lead
        length = written.norm(dim=-1, keepdim=True)
        # Where the other concept makes no difference there is nothing to write along; the row is unused.
        written = torch.where(length > 0, normalize(written, dim=-1), lead)
        threshold = None if entry.threshold is None else entry.threshold[:, :1]
        sites[site] = replace(entry, direction=written[:, None], readout=entry.direction[:, :1], threshold=threshold)
    return replace(vector, sites=sites)
