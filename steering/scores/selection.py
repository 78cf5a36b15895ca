"""Which sites to steer, and at which noise levels: rules that read scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor

from ..checks import short
from ..errors import SteeringError
from ..sites import Site, sort_sites
from .levels import read_levels
from .navigator import Scores


def per_step(scores: Scores, top_k: int) -> dict[Site, Tensor]:
    """The ``top_k`` best sites of every noise level (the source study's choice); bool ``[S]`` by site."""
    sites = sort_sites(scores.sites)
    table = scores.table()
    active = torch.stack([scores.active[site] for site in sites])
    ranked = table.masked_fill(~active, -torch.inf).sort(dim=0, descending=True, stable=True).indices
    chosen = torch.zeros_like(active)
    chosen.scatter_(0, ranked[:top_k], True)
    return _only_used(sites, chosen & active)


def overall(scores: Scores, top_k: int) -> dict[Site, Tensor]:
    """The ``top_k`` sites with the best mean score over the noise levels where they are active, at all of those."""
    sites = sort_sites(scores.sites)
    active = torch.stack([scores.active[site] for site in sites])
    means = torch.stack(list(scores.means().values()))
    best = means.masked_fill(~active.any(1), -torch.inf).sort(descending=True, stable=True).indices[:top_k]
    return _only_used([sites[i] for i in best], torch.stack([scores.active[sites[i]] for i in best]))


def at_random(scores: Scores, top_k: int, seed: int = 0) -> dict[Site, Tensor]:
    """``top_k`` sites drawn at random, at every noise level where they are active: what scores have to beat."""
    sites = [site for site in sort_sites(scores.sites) if scores.active[site].any()]
    order = torch.randperm(len(sites), generator=torch.Generator().manual_seed(seed)).tolist()
    drawn = sort_sites(sites[i] for i in order[:top_k])
    return {site: scores.active[site] for site in drawn}


SELECTIONS: MappingProxyType[str, Callable[[Scores, int], dict[Site, Tensor]]] = MappingProxyType(
    {"per-step": per_step, "overall": overall, "random": at_random}
)
"""Name -> rule that picks ``top_k`` sites."""


def select(scores: Scores, how: str, top_k: int) -> dict[Site, Tensor]:
    """The sites to steer and at which noise levels.

    Args:
        scores: from `score`.
        how: a rule, ``per-step`` or ``overall``, which picks among all sites or, as ``overall:attn1,ff``, among some;
            ``random`` or ``random:SEED``; or a comma-separated list of kinds and site names, which may say at which
            noise levels, as ``in4.attn2:14.61-2.42``; see `steering.scores.levels`.
        top_k: number of sites; not used with a list.

    Raises:
        SteeringError: an unknown rule, top_k below 1, or nothing left to steer.
    """
    rule, _, among = how.partition(":")
    if rule in SELECTIONS and top_k < 1:
        raise SteeringError(f"top_k {top_k} must be at least 1")
    if rule == "random":
        chosen = at_random(scores, top_k, _seed(among))
    elif rule in SELECTIONS:
        chosen = SELECTIONS[rule](restricted(scores, among) if among else scores, top_k)
    else:
        named = read_levels(scores, how)
        chosen = _only_used(list(named), torch.stack(list(named.values())))
    if not chosen and ":" in how:
        raise SteeringError(f"no site that {short(how)} names reacts to these pairs at the noise levels that it names")
    if not chosen:
        raise SteeringError("no site reacts to these pairs: positive and negative prompts give the same activations")
    return chosen


def restricted(scores: Scores, text: str) -> Scores:
    """The scores of some sites, active at some noise levels only where the text says so; see `read_levels`.

    Scores at the other levels stay as they are: rules read none where a site is inactive.
    """
    active = read_levels(scores, text)
    return replace(scores, sites={site: scores.sites[site] for site in active}, active=active)


def _seed(text: str) -> int:
    if text and not (text.isdecimal() and len(text) < 20):
        raise SteeringError(f"select {short(f'random:{text}')} must name a seed, a whole number from 0, as random:1")
    return int(text or 0)


def _only_used(sites: list[Site], chosen: Tensor) -> dict[Site, Tensor]:
    return {site: row for site, row in zip(sites, chosen, strict=True) if row.any()}
