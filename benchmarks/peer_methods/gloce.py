"""GLoCE (Lee et al., arXiv 2503.12356): a gated map of rank r at the output of every cross-attention, by token.

    x' = (1 - g) x + g [m_s + V_s V_sᵀ (1 - V_c V_cᵀ) (x - m_c)]        g = σ(a (|V_gᵀ y|² - z))   y = unit(x - m_k)

m and V: means and leading principal directions of the tokens of prompts with the concept (c), of the same prompts
without it (s), and of what is kept (k); V_g those of the concept's tokens about m_k. Centre z and slope a are such that
the gate opens by 1 % and 99 % at so many spreads above the means of what is kept and of the concept.
Left out: the selection of text tokens, whose effect on the picture's tokens is taken as one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from steering.families import family_named
from steering.models.hooks import site_hooks
from steering.models.sampling import Sampling
from steering.sites import Site

from .learned import Learned

PROMPTS, STEPS, RANK = 24, 10, 4
FROM = 0.2
"""Share of the steps that pass before it acts."""
OPEN = math.log(99.0)


@dataclass(frozen=True)
class Gate:
    """A setting: how many spreads above the mean of what is kept the gate begins, and from when on it acts."""

    spreads: float = 2.0
    start: float = FROM


@dataclass(frozen=True)
class Map:
    """What is known at one site."""

    concept: Tensor
    instead: Tensor
    kept: Tensor
    change: Tensor
    gate: Tensor
    centre: float
    slope: float

    def __call__(self, x: Tensor) -> Tensor:
        """The formula above, on tokens ``[B, T, C]``."""
        apart = torch.nn.functional.normalize(x - self.kept, dim=-1)
        share = torch.sigmoid(self.slope * ((apart @ self.gate).square().sum(-1, keepdim=True) - self.centre))
        return (1 - share) * x + share * (self.instead + (x - self.concept) @ self.change)


@contextmanager
def gated(learned: Learned, gate: Gate) -> Iterator[None]:
    """The model with gated maps at its cross-attentions."""
    model = learned.model
    maps = {site: _map(*sides, gate.spreads) for site, sides in _tokens(learned).items()}

    def react(site: Site, output: Tensor) -> Tensor | None:
        call = model.call
        if call is None or model.schedule.sigma_to_percent(call.sigmas[0]) < gate.start:
            return None
        rows = torch.tensor(call.conditional)[:, None, None]
        return torch.where(rows, maps[site](output), output)

    with site_hooks({site: model.sites()[site] for site in maps}, react):
        yield


@lru_cache(maxsize=1)
def _tokens(learned: Learned) -> Mapping[Site, tuple[Tensor, Tensor, Tensor]]:
    """Every token of a few runs ``[M, C]`` with the concept, without it, and of what is kept, by site.

    The same noise for all three; recorded once a concept.
    """
    model = learned.model
    sites = [site for site in model.sites() if site.kind == "attn2"]
    sampling = Sampling(STEPS, family_named(model.family).guidance, 0, model.size, PROMPTS)

    def tokens(prompts: list[str]) -> dict[Site, Tensor]:
        some = prompts[:PROMPTS]
        steps = model.recorded(sites, some, range(len(some)), sampling, lambda _site, values, _sigma: values)
        return {site: torch.cat([step[site].flatten(0, 1) for step in steps]) for site in sites}

    concept, instead, kept = (tokens(side) for side in (learned.positives, learned.without, learned.kept))
    return {site: (concept[site], instead[site], kept[site]) for site in sites}


def _map(concept: Tensor, instead: Tensor, kept: Tensor, spreads: float) -> Map:
    centre = kept.mean(0)
    gate = _principal(concept - centre)
    told = [(torch.nn.functional.normalize(side - centre, dim=1) @ gate).square().sum(1) for side in (kept, concept)]
    begins = float(told[0].mean() + spreads * told[0].std())
    ends = max(float(told[1].mean() + spreads * told[1].std()), begins + 1e-3)
    means = concept.mean(0), instead.mean(0)
    rows, columns = _principal(concept - means[0]), _principal(instead - means[1])
    width = len(centre)
    change = (torch.eye(width) - rows @ rows.mT) @ columns @ columns.mT
    middle = (begins + ends) / 2
    return Map(means[0], means[1], centre, change, gate, middle, 2 * OPEN / (ends - begins))


def _principal(rows: Tensor) -> Tensor:
    """The leading principal directions of rows ``[M, C]``, as columns ``[C, r]``."""
    return torch.linalg.eigh(rows.mT @ rows).eigenvectors[:, -RANK:]
