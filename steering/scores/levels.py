"""Sites and noise levels chosen by hand, as text: ``in4.attn2`` at every level, ``in4.attn2:14.61-2.42`` at some.

Levels are named by sigma, as everywhere: the same text means the same for captures of any number of steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import torch
from torch import Tensor

from ..checks import short
from ..errors import SteeringError
from ..sites import KINDS, Site, choose_sites, sort_sites
from .navigator import Scores

SLACK = 1e-3
"""Relative, so that a level is found by four digits of it; neighbouring timesteps are four times as far apart."""


def read_levels(scores: Scores, text: str) -> dict[Site, Tensor]:
    """The sites that a text names, in order of execution, and the noise levels at which they are chosen and active.

    Args:
        scores: what there is to choose from.
        text: kinds and site names separated by commas, each of which may be followed by ``:`` and two noise levels,
            both included; a site that is named again is chosen at the levels of both.

    Returns:
        bool ``[S]`` by site.

    Raises:
        SteeringError: no such site, no two numbers, or no noise level between them.
    """
    sites = sort_sites(scores.sites)
    parts = [[*map(str.strip, part.partition(":"))] for part in text.split(",") if part.strip()]
    named = choose_sites(sites, ",".join(name for name, _, _ in parts))
    found = {site: torch.zeros(len(scores.sigmas), dtype=torch.bool) for site in named}
    for name, at, levels in parts:
        among = _between(scores.sigmas, levels, name) if at else torch.tensor(True)
        one = None if name in KINDS else Site.parse(name)
        for site in named:
            if site == one or site.kind == name:
                found[site] |= among
    return {site: levels & scores.active[site] for site, levels in found.items()}


def _between(sigmas: Tensor, levels: str, name: str) -> Tensor:
    try:
        low, high = sorted(float(level) for level in levels.split("-"))
    except ValueError:
        raise SteeringError(
            f"noise levels {short(levels)} of {name} must be two numbers, as {name}:14.61-2.42; leave them out for all"
        ) from None
    among = (sigmas >= low * (1 - SLACK)) & (sigmas <= high * (1 + SLACK))
    if not among.any():
        raise SteeringError(
            f"no noise level lies within {levels}, which {name} is to be steered at; they go from {sigmas[0]:.4g} to "
            f"{sigmas[-1]:.4g}"
        )
    return among


def write_levels(scores: Scores, chosen: Mapping[Site, Tensor]) -> str:
    """The text that `read_levels` reads as the same choice, bool ``[S]`` by site."""
    parts = []
    for site in sort_sites(chosen):
        if torch.equal(chosen[site], scores.active[site]):
            parts.append(str(site))
            continue
        for first, last in _stretches(chosen[site].tolist(), scores.active[site].tolist()):
            high, low = (Decimal(f"{scores.sigmas[i]:.4g}") for i in (first, last))
            parts.append(f"{site}:{high:f}-{low:f}")
    return ",".join(parts)


def _stretches(chosen: Sequence[bool], active: Sequence[bool]) -> list[tuple[int, int]]:
    """First and last level of every stretch of chosen ones; those where the site is inactive do not end one."""
    found: list[tuple[int, int]] = []
    going = False
    for i, (is_chosen, is_active) in enumerate(zip(chosen, active, strict=True)):
        if is_chosen:
            found = [*found[:-1], (found[-1][0], i)] if going else [*found, (i, i)]
        going = is_chosen or (going and not is_active)
    return found
