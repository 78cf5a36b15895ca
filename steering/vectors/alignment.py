"""Vectors beside each other: the same channels, and the same noise levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..errors import SteeringError
from ..sites import Site
from .site import AT_KNOTS, SiteVector
from .vector import SteeringVector, nearest


def used_knots(part: SiteVector, levels: Tensor) -> Tensor:
    """Whether a knot's direction is ever applied, bool ``[S]``; ``levels [A]`` are the knots of the active levels."""
    used = torch.zeros(len(part.direction), dtype=torch.bool)
    used[levels[part.active]] = True
    return used


def check_widths(vectors: Sequence[SteeringVector]) -> None:
    """Refuse vectors of two families, or of which two have another number of channels at the same site."""
    families = sorted({vector.family for vector in vectors} - {""})
    if len(families) > 1:
        raise SteeringError(
            f"vectors of {' and '.join(families)} do not go together; combine vectors made for the same model"
        )
    widths: dict[Site, int] = {}
    for vector in vectors:
        for site, part in vector.sites.items():
            if widths.setdefault(site, part.width) != part.width:
                raise SteeringError(
                    f"{site} has {widths[site]} channels in one vector and {part.width} in another; "
                    "combine vectors made for the same model"
                )


def aligned(vectors: Sequence[SteeringVector]) -> list[SteeringVector]:
    """The vectors at the noise levels of the one that has most of them."""
    sigmas = max((vector.sigmas for vector in vectors), key=len)
    active_sigmas = max((vector.active_sigmas for vector in vectors), key=len)
    return [_resampled(vector, sigmas, active_sigmas) for vector in vectors]


def _resampled(vector: SteeringVector, sigmas: Tensor, active_sigmas: Tensor) -> SteeringVector:
    if torch.equal(vector.sigmas, sigmas) and torch.equal(vector.active_sigmas, active_sigmas):
        return vector
    knots = [vector.knot(sigma) for sigma in sigmas.tolist()]
    places = [nearest(vector.active_sigmas, sigma) for sigma in active_sigmas.tolist()]
    sites = {site: _taken(part, knots, places) for site, part in vector.sites.items()}
    return SteeringVector(sites, sigmas, active_sigmas, vector.metadata)


def _taken(part: SiteVector, knots: list[int], places: list[int]) -> SiteVector:
    """A site's part at some of its noise levels."""
    values = {name: getattr(part, name) for name in AT_KNOTS}
    taken = {name: None if value is None else value[knots] for name, value in values.items()}
    return replace(part, **taken, active=part.active[places])
