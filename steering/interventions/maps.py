"""Where in the picture a site holds a concept, and where steering moved it.

For every token, in units of the concept itself:

    held     h = (s - μ) / γ        s = <x, r> before steering, μ = <m⁻, r>, γ = <d, r>
    moved    m = (s' - s) / γ       s' the same afterwards; below 0: taken out

so 0 means as in the mean of the prompts without the concept, and 1 as in the mean of those with it. Both means
are over all tokens, so tokens that show a small object lie far above 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from ..errors import SteeringError
from ..sites import TEXT, Site, sort_sites
from .entry import Entry
from .masks import token_grid
from .observation import Observation

Maps = dict[Site, dict[float, Tensor]]
"""Site -> noise level -> map ``[h, w]`` at the site's own resolution; sites in order of execution."""


def held(entry: Entry, seen: Observation, coordinates: Tensor) -> Tensor:
    """How much of the concept each token holds before steering, from ``[2, T]`` to ``[T]``."""
    part, knot = entry.vector.sites[seen.site], entry.vector.knot(seen.sigma)
    mean = part.rows_read[knot, 0].float() @ part.negative_mean[knot].float()
    return (coordinates[0] - mean) / part.gap[knot, 0]


def moved(entry: Entry, seen: Observation, coordinates: Tensor) -> Tensor:
    """How far each token was moved along the concept, from ``[2, T]`` to ``[T]``."""
    part, knot = entry.vector.sites[seen.site], entry.vector.knot(seen.sigma)
    return (coordinates[1] - coordinates[0]) / part.gap[knot, 0]


QUANTITIES: MappingProxyType[str, Callable[[Entry, Observation, Tensor], Tensor]] = MappingProxyType(
    {"held": held, "moved": moved}
)
"""What a map shows -> function."""


def maps_of(
    entries: Sequence[Entry], observations: Sequence[Observation], what: str, entry: int = 0, picture: int = 0
) -> Maps:
    """The maps of one entry in one picture of a run.

    Args:
        entries: the run's entries.
        observations: what was seen in the run, with tokens.
        what: a name of `QUANTITIES`.
        entry: number of the entry.
        picture: number of the picture in its batch.

    Raises:
        SteeringError: an unknown name or number, or a run in which the entry reached no site.
    """
    if what not in QUANTITIES:
        raise SteeringError(f"map {what!r} is not one of {', '.join(QUANTITIES)}")
    if not 0 <= entry < len(entries):
        raise SteeringError(f"vector number {entry} is not one of the run's {len(entries)}, which count from 0")
    found: Maps = {}
    for seen in observations:
        if (
            seen.site == TEXT
            or seen.entry != entry
            or picture not in seen.pictures
            or seen.tokens is None
            or seen.latent is None
        ):
            continue
        source = entries[entry].vector
        if not source.sites[seen.site].held[source.knot(seen.sigma)]:
            continue  # no concept, no unit
        coordinates = seen.tokens[:, seen.pictures.index(picture)].float()
        values = QUANTITIES[what](entries[entry], seen, coordinates)
        # Of several calls at one noise level, such as heun makes, the first counts.
        found.setdefault(seen.site, {}).setdefault(seen.sigma, values.reshape(token_grid(len(values), seen.latent)))
    if not found:
        raise SteeringError(
            f"nothing was seen of picture {picture}: the run reached no site, its batch holds fewer pictures, or an "
            "area condition was set, whose tokens have no place in the whole picture, as those of the text have none"
        )
    return {site: found[site] for site in sort_sites(found)}


def summary(maps: Maps, size: tuple[int, int]) -> Tensor:
    """The mean over sites and noise levels, at height and width ``size``; every site counts the same."""
    layers = [torch.stack([fitted(part, size) for part in levels.values()]).mean(0) for levels in maps.values()]
    return torch.stack(layers).mean(0)


def mean_of(levels: Mapping[float, Tensor]) -> float:
    """The mean of a site's maps over tokens and noise levels."""
    return float(torch.stack([part.mean() for part in levels.values()]).mean())


def fitted(part: Tensor, size: tuple[int, int]) -> Tensor:
    """A map ``[h, w]`` at another height and width, interpolated between the tokens' centres."""
    return torch.nn.functional.interpolate(part[None, None].float(), size, mode="bilinear")[0, 0]


def as_mask(summed: Tensor) -> Tensor:
    """A map ``[H, W]`` as weights from 0 to 1: nothing below 0, and its own 99 % quantile counts as 1."""
    above = summed.clamp_min(0)
    top = above.flatten().quantile(0.99)
    return (above / top.clamp_min(torch.finfo(above.dtype).tiny)).clamp_max(1) if top > 0 else torch.zeros_like(above)


def strongest(maps: Maps, sites: int) -> Maps:
    """The ``sites`` whose mean over all noise levels has the highest peak, in order of execution.

    A noise level at which a site was not seen counts as 0 there, so that a single step does not outweigh a run.
    """
    count = len(levels_of(maps))
    peaks = {site: float(sum(part.values()).abs().max()) / count for site, part in maps.items()}  # type: ignore[union-attr]
    ranked = sorted(maps, key=lambda site: -peaks[site])[:sites]
    return {site: part for site, part in maps.items() if site in ranked}


def levels_of(maps: Maps) -> list[float]:
    """The noise levels of some maps, falling."""
    return sorted({sigma for part in maps.values() for sigma in part}, reverse=True)


def some_levels(maps: Maps, count: int) -> list[float]:
    """``count`` of the noise levels, from the first to the last and spread evenly."""
    every = levels_of(maps)
    places = torch.linspace(0, len(every) - 1, min(count, len(every))).round().long().tolist()
    return [every[place] for place in places]
