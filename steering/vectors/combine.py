"""Arithmetic of steering vectors: sums, differences, averages, one made orthogonal to others, several as one.

A vector means, at every site and noise level, a displacement D = Σ_k γ_k r_k: where a prompt with the concept
lies, seen from one without it (`SiteVector.displacement`). Vectors are combined by combining these:

    w · a            D = w D_a; a negative w swaps "with" and "without", means included
    a + b            D = D_a + D_b,  r = D / |D|          where a site belongs to one of them only, it is that one's
    average          D = (D_a + D_b + ...) / n
    orthogonalise    D = (I - QᵀQ) D_a, Q an orthonormal basis of the others' directions: what a says that they do not
    gram-schmidt     the span of all directions, as several directions of one vector

The reference (the negative mean) of a sum is the mean of its parts' references. Suppression does not depend on a
vector's length, only on its direction, so weights matter where vectors are summed, and under ``add`` and
``replace``. Noise levels are those of the vector that has most; the others' are the nearest ones. Gate thresholds
do not survive (another direction has another quantile), but for a positive weight alone. What reads tokens otherwise
than along its directions (maps of the text, whitened and affine directions) has no sum, and is refused at a site that
several vectors share.

Averaging is CASteer's way to several concepts (arXiv 2503.09630), which weakens each of them; a Gram-Schmidt basis
does not. Orthogonalising against what is to be kept is known from refusal directions (arXiv 2406.11717's
followers call it projected ablation).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ..errors import SteeringError
from ..linalg import LEAST_RESIDUAL, gram_schmidt_rows, lead_first
from ..sites import Site, sort_sites
from .alignment import aligned, check_widths, used_knots
from .similarity import name_of
from .site import NOTHING, SiteVector
from .vector import SteeringVector

COVERED = 1e-6
"""A singular value of unit rows below this is rounding: they span no direction there."""


def combine(vectors: Sequence[SteeringVector], how: str, weights: Sequence[float] | None = None) -> SteeringVector:
    """One vector out of several; see the module's docstring.

    Args:
        vectors: the vectors, the first one first.
        how: a name of `COMBINATIONS`.
        weights: a factor a vector, applied before; 1 each if not given.

    Raises:
        SteeringError: an unknown name, a weight that is 0 or not finite, vectors for different models, or a result with
            nothing left in it.
    """
    if how not in COMBINATIONS:
        raise SteeringError(f"combination {how!r} is not one of {', '.join(COMBINATIONS)}")
    factors = [1.0] * len(vectors) if weights is None else [float(weight) for weight in weights]
    if not vectors or len(factors) != len(vectors):
        raise SteeringError(f"{len(factors)} weights do not fit {len(vectors)} vectors; give one each, and a vector")
    check_widths(vectors)
    scaled = [scale(vector, factor) for vector, factor in zip(vectors, factors, strict=True)]
    made = COMBINATIONS[how].make(aligned(scaled))
    return replace(made, metadata=_about(vectors, how, factors))


def scale(vector: SteeringVector, weight: float) -> SteeringVector:
    """``weight`` times the vector: γ becomes weight · γ; below 0 "with" and "without" the concept change places.

    Raises:
        SteeringError: a weight of 0 or one that is not finite.
    """
    if not weight or not math.isfinite(weight):
        raise SteeringError(
            f"weight {weight} leaves no vector; give a finite number other than 0, or leave the vector out"
        )
    sites = {site: _scaled(part, weight) for site, part in vector.sites.items()}
    return replace(vector, sites=sites)


def _scaled(part: SiteVector, weight: float) -> SiteVector:
    if weight > 0:
        return replace(part, difference=weight * part.difference)
    positive_mean = part.negative_mean + part.difference
    if part.local is not None:
        raise SteeringError(
            f"weight {weight:g} swaps with and without the concept, and a vector of direction 'kernel' knows one way "
            "only; give a weight above 0, or build it with another direction"
        )
    turned = {"direction": -part.direction, "readout": None if part.readout is None else -part.readout}
    nothing = {"threshold": None, "condition": None}  # of the prompts that hold the other side
    return replace(part, negative_mean=positive_mean, difference=weight * part.difference, **turned, **nothing)


# --- the combinations, of vectors at the same noise levels -----------------------------------------


def total(vectors: Sequence[SteeringVector]) -> SteeringVector:
    """Sum: D = Σ_i D_i, one direction a site; a vector alone stays as it is."""
    if len(vectors) == 1:
        return vectors[0]
    levels = vectors[0].active_knots
    sites = {site: _summed(parts, levels) if len(parts) > 1 else parts[0] for site, parts in _by_site(vectors).items()}
    return _made(vectors[0], sites, "the vectors cancel each other out")


def difference(vectors: Sequence[SteeringVector]) -> SteeringVector:
    """The first minus the others: D = D_1 - D_2 - ..."""
    return total([vectors[0], *(scale(other, -1) for other in vectors[1:])])


def average(vectors: Sequence[SteeringVector]) -> SteeringVector:
    """D = (1/n) Σ_i D_i."""
    return scale(total(vectors), 1 / len(vectors))


def orthogonalise(vectors: Sequence[SteeringVector]) -> SteeringVector:
    """The first without what the others say: r = unit((I - QᵀQ) r_1), D = (I - QᵀQ) D_1.

    Q is an orthonormal basis of the others' directions at that site and noise level. Steering along the result
    moves nothing along theirs, which protects them.
    """
    first, others = vectors[0], vectors[1:]
    sites, levels = {}, first.active_knots
    for site, part in first.sites.items():
        parts = [other.sites[site] for other in others if site in other.sites]
        made = _without(part, parts, levels) if parts else part
        if made is not None:
            sites[site] = made
    return _made(first, sites, "nothing of the first vector is left when the others are taken out")


def gram_schmidt(vectors: Sequence[SteeringVector]) -> SteeringVector:
    """All directions of all vectors as the directions of one: the rows of an orthonormal basis of their span.

    The first row, which a gate reads, points along the sum of the displacements as far as the span allows. A
    direction that the earlier ones nearly cover at some noise level is left out at that site.
    """
    if len(vectors) == 1:
        return vectors[0]
    levels = vectors[0].active_knots
    sites = {site: _spanned(parts, levels) for site, parts in _by_site(vectors).items()}
    return _made(vectors[0], sites, "the vectors hold no direction")


@dataclass(frozen=True)
class Combination:
    """A way of making one vector of several.

    Attributes:
        make: of vectors that share their noise levels; weights are applied before.
        joint: what stands between their names in the name of the result.
    """

    make: Callable[[Sequence[SteeringVector]], SteeringVector]
    joint: str


COMBINATIONS: MappingProxyType[str, Combination] = MappingProxyType(
    {
        "add": Combination(total, " + "),
        "subtract": Combination(difference, " - "),
        "average": Combination(average, " and "),
        "orthogonalise": Combination(orthogonalise, " without "),
        "gram-schmidt": Combination(gram_schmidt, " with "),
    }
)
"""Name -> combination."""


# --- one site -------------------------------------------------------------------------------------


def _check_plain(parts: Sequence[SiteVector]) -> None:
    """Refuse parts of a shared site that read tokens with more than their directions, all of which would be lost."""
    if any(part.readout is not None or part.local or part.condition is not None for part in parts):
        raise SteeringError(
            "vectors with a map of their own (directions kernel, affine, whitened and cpca-source, and every vector of "
            "the text) cannot be combined at a site that they share; apply them one after the other"
        )


def _summed(parts: Sequence[SiteVector], levels: Tensor) -> SiteVector:
    _check_plain(parts)
    # A part says nothing where it is not steered itself.
    moved = torch.stack([part.displacement * used_knots(part, levels)[:, None] for part in parts])  # [P, S, C]
    displacement = moved.sum(0)
    length, longest = displacement.norm(dim=-1), moved.norm(dim=-1).amax(0)
    there = length > NOTHING * longest.clamp_min(torch.finfo(torch.float32).tiny)
    active = torch.stack([part.active for part in parts]).any(0)
    rows = torch.nn.functional.normalize(displacement, dim=-1)[:, None]
    placeholder = torch.eye(1, rows.shape[-1]).expand_as(rows)
    direction = torch.where(there[:, None, None], rows, placeholder)
    return SiteVector(direction, _mean_reference(parts), displacement, active)


def _without(part: SiteVector, others: Sequence[SiteVector], levels: Tensor) -> SiteVector | None:
    """A site's part outside of the others' span; None where nothing is left at any noise level."""
    _check_plain([part, *others])
    basis, own = _span(others, levels), part.direction.double()
    left = own - own @ basis.mT @ basis
    usable = left[:, 0].norm(dim=-1) >= LEAST_RESIDUAL
    active = part.active & usable[levels]
    if not active.any():
        return None
    rows = gram_schmidt_rows(left, used_knots(part, levels) & usable)
    remaining = part.displacement.double()[:, None]
    remaining = (remaining - remaining @ basis.mT @ basis)[:, 0]
    return SiteVector(_turned(rows, remaining).float(), part.negative_mean, remaining.float(), active)


def _span(parts: Sequence[SiteVector], levels: Tensor) -> Tensor:
    """Orthonormal rows ``[S, J, C]`` of the span of the parts' directions, at every noise level for itself.

    Rows are 0 where there are fewer directions than parts, or none; a part has none where it is not steered.
    """
    there = [(part.held & used_knots(part, levels))[:, None, None] for part in parts]
    rows = torch.cat([part.direction.double() * held for part, held in zip(parts, there, strict=True)], dim=1)
    _, values, basis = torch.linalg.svd(rows, full_matrices=False)
    return basis * (values > COVERED)[..., None]


def _spanned(parts: Sequence[SiteVector], levels: Tensor) -> SiteVector:
    if len(parts) == 1:
        return parts[0]
    _check_plain(parts)
    total = torch.stack([part.displacement for part in parts]).sum(0)
    active = torch.stack([part.active for part in parts]).any(0)
    each = torch.stack([used_knots(part, levels) for part in parts])
    used = each.any(0)
    if not each.all(0)[used].all():
        warnings.warn(
            "the vectors are steered at different noise levels, and gram-schmidt steers all of them wherever one is; "
            "apply them one after the other, or add them",
            stacklevel=2,
        )
    basis = gram_schmidt_rows(torch.cat([part.direction.double() for part in parts], dim=1), used)
    return SiteVector(_turned(basis, total.double()).float(), _mean_reference(parts), total, active)


def _turned(rows: Tensor, displacement: Tensor) -> Tensor:
    """Rows ``[S, K, C]`` turned within their span so that the first points along the displacement ``[S, C]``."""
    return torch.stack([lead_first(*step) for step in zip(rows, displacement, strict=True)])


def _mean_reference(parts: Sequence[SiteVector]) -> Tensor:
    return torch.stack([part.negative_mean for part in parts]).mean(0)


# --- vectors beside each other --------------------------------------------------------------------


def _by_site(vectors: Sequence[SteeringVector]) -> dict[Site, list[SiteVector]]:
    every = sort_sites({site for vector in vectors for site in vector.sites})
    return {site: [vector.sites[site] for vector in vectors if site in vector.sites] for site in every}


def _made(like: SteeringVector, sites: Mapping[Site, SiteVector], complaint: str) -> SteeringVector:
    """A vector of the sites at which something is left."""
    left, levels = {}, like.active_knots
    for site, part in sites.items():
        active = part.active & part.held[levels]
        if active.any():
            left[site] = replace(part, active=active)
    if not left:
        raise SteeringError(f"{complaint}; combine others")
    return replace(like, sites=left)


def _about(vectors: Sequence[SteeringVector], how: str, weights: Sequence[float]) -> dict[str, Any]:
    """Metadata of a combination: what of the parts' metadata is the same in all, and what it was made from."""
    first = dict(vectors[0].metadata)
    if len(vectors) > 1:
        kept = ("model", "sampler", "scheduler", "steps", "guidance", "size")
        same = [key for key in kept if key in first and all(v.metadata.get(key) == first[key] for v in vectors)]
        family = next((vector.family for vector in vectors if vector.family), "")
        # Of several models of one family only the family is true of the whole.
        first = {"model": {"family": family}} if family else {}
        first |= {key: vectors[0].metadata[key] for key in same}
    first.pop("recommended", None)  # tuned for the vector as it was
    parts = [
        {"concept": name_of(vector, i), "weight": weight, "digest": vector.digest(lengths=True)}
        for i, (vector, weight) in enumerate(zip(vectors, weights, strict=True))
    ]
    return {**first, "concept": _title(parts, how), "method": {"combination": how}, "parts": parts}


def _title(parts: Sequence[Mapping[str, Any]], how: str) -> str:
    named = [p["concept"] if p["weight"] == 1 else f"{p['weight']:g} x {p['concept']}" for p in parts]
    return COMBINATIONS[how].joint.join(named)
