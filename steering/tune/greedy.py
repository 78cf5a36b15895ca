"""Choosing sites together: greedy forward selection on what steering does to the model's own prediction.

Scores rate every site for itself. Here a set of sites A is rated by one UNet call a noise level. For pairs of prompts
p⁺, p⁻ with and without the concept, and D(x, p) the clean latents that the model sees in x for prompt p under guidance:

    left      mean over noise levels of Σ |D_A(x⁺, p⁺) - D(x⁺, p⁻)|² / Σ |D(x⁺, p⁺) - D(x⁺, p⁻)|²
    damage    mean over noise levels of Σ |D_A(x⁻, p⁻) - D(x⁻, p⁻)|² / Σ |D(x⁺, p⁺) - D(x⁺, p⁻)|²
    objective left + damage

x⁺, x⁻ are finished pictures of the two prompts with noise added; D_A is steered; sums run over pairs. So ``left`` is 1
for no steering and 0 where the steered model predicts what it would for the prompt without the concept, and ``damage``
is what the same steering does to that prompt itself. Every noise level counts alike, whatever the size of its
differences: a style is decided at low noise, where they are small.

Sites are added one by one, always the one that lowers the objective most, as long as one does. Whatever a site promised
last is taken for the most that it can promise later (lazy evaluation, Minoux 1978), which spares most of the calls; it
would be exact if gains only shrank as the set grows, and is a heuristic where sites work better in company.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..concepts.pairs import Pair, spread
from ..errors import SteeringError
from ..families import family_named
from ..interventions.entry import Entry
from ..interventions.steer import steer
from ..models.conditioning import Conditioning, together
from ..models.diffusion import DiffusionModel
from ..models.sampling import Progress, silent
from ..sites import Site
from ..vectors.vector import SteeringVector

PAIRS, LEVELS, STEPS = 8, 4, 10
"""Pairs and noise levels that a set is rated on, and sampling steps of their pictures."""


@dataclass(frozen=True)
class Rating:
    """How far a set of sites goes; see the module's docstring."""

    left: float
    damage: float

    @property
    def objective(self) -> float:
        """``left`` and ``damage`` together; 1 for no steering at all."""
        return self.left + self.damage


@dataclass(frozen=True)
class Added:
    """A site that joined the set, and the rating of the set from then on."""

    site: Site
    rating: Rating


@dataclass(frozen=True, eq=False)
class Level:
    """What is asked at one noise level.

    Attributes:
        sigma: the noise level.
        noised: noised pictures of the prompts with and then without the concept ``[2M, c, h, w]``.
        wanted: the model's prediction of the latter prompts in all of them ``[2M, c, h, w]``.
        scale: Σ |D(x⁺, p⁺) - D(x⁺, p⁻)|².
    """

    sigma: float
    noised: Tensor
    wanted: Tensor
    scale: float


@dataclass(frozen=True, eq=False)
class NoisedPairs:
    """Noised pictures of pairs, on which sets of sites are rated.

    Attributes:
        model: the model.
        prompts: the M prompts with and then the M without the concept.
        nothing: the empty negative prompt.
        levels: what is asked at each noise level at which the prompts make a difference.
        progress: called with numbers of UNet rows.
    """

    model: DiffusionModel
    prompts: Conditioning
    nothing: Conditioning
    levels: tuple[Level, ...]
    progress: Progress

    def rate(self, entry: Entry) -> Rating:
        """The rating of the sites of an entry's vector."""
        left, damage = 0.0, 0.0
        with steer(self.model, [entry]):
            for level in self.levels:
                seen = _predicted(self.model, level.noised, level.sigma, self.prompts, self.nothing, self.progress)
                off = seen - level.wanted
                with_concept, without = off.square().flatten(1).sum(1).chunk(2)
                left += float(with_concept.sum()) / level.scale
                damage += float(without.sum()) / level.scale
        return Rating(left / len(self.levels), damage / len(self.levels))


def noised_pairs(
    model: DiffusionModel,
    pairs: Sequence[Pair],
    count: int = PAIRS,
    levels: int = LEVELS,
    steps: int = STEPS,
    progress: Progress = silent,
) -> NoisedPairs:
    """Draw the pictures of ``count`` pairs, and ask the unsteered model what it sees in them.

    Raises:
        SteeringError: no pairs, fewer than one level, or prompts that the model cannot tell apart.
    """
    some = spread(list(pairs), count)
    if not some or levels < 1:
        raise SteeringError(
            f"sets of sites are rated on at least one pair and noise level, got {len(some)} and {levels}"
        )
    prompts = model.encode([pair.positive for pair in some] + [pair.negative for pair in some])
    noise = model.noise([*range(len(some))] * 2, model.size)
    parts = zip(*(part.split(family_named(model.family).batch) for part in (prompts, noise)), strict=True)
    nothing, guidance = model.encode([""]), family_named(model.family).guidance
    pictures = torch.cat([model.denoise(p, nothing, n, steps, guidance, progress) for p, n in parts])
    fresh = model.noise([1_000_000 + i for i in range(len(some))] * 2, model.size).to(pictures)
    without = together([prompts[len(some) :]] * 2)
    asked = []
    # The middles of equal parts of the schedule.
    for sigma in model.sigmas(2 * levels + 1)[1::2].tolist():
        noised = pictures + sigma * fresh
        wanted = _predicted(model, noised, sigma, without, nothing, progress)
        plain = _predicted(model, noised, sigma, prompts, nothing, progress)
        scale = float((plain - wanted)[: len(some)].square().sum())
        if scale:
            asked.append(Level(sigma, noised, wanted, scale))
    if not asked:
        raise SteeringError("the model predicts the same for both prompts of every pair; use pairs that differ")
    return NoisedPairs(model, prompts, nothing, tuple(asked), progress)


@torch.no_grad()
def _predicted(
    model: DiffusionModel, x: Tensor, sigma: float, prompts: Conditioning, nothing: Conditioning, progress: Progress
) -> Tensor:
    """The clean latents that the model sees in ``x``, as many at a time as are usual for it."""
    known = family_named(model.family)
    parts = zip(x.split(known.batch), prompts.split(known.batch), strict=True)
    return torch.cat([model.guided_clean(a, sigma, p, nothing, known.guidance, progress) for a, p in parts])


def forward_selection(rate: Callable[[Entry], Rating], entry: Entry, top_k: int) -> list[Added]:
    """Sites of an entry's vector in the order in which they lower the objective most.

    Args:
        rate: as `NoisedPairs.rate`.
        entry: what is done at the sites; its vector has all that may be chosen.
        top_k: most sites.

    Raises:
        SteeringError: top_k below 1, or no site that does any good.
    """
    if top_k < 1:
        raise SteeringError(f"top_k {top_k} must be at least 1")
    chosen: list[Added] = []
    reached = 1.0
    promised = dict.fromkeys(entry.vector.sites, float("inf"))
    while promised and len(chosen) < top_k:
        best = _most_promising(rate, entry, [one.site for one in chosen], promised, reached)
        if best is None:
            break
        chosen.append(best)
        reached = best.rating.objective
        del promised[best.site]
    if not chosen:
        raise SteeringError("no site lowers the objective at this strength; give a gentler one, or another preset")
    return chosen


def _most_promising(
    rate: Callable[[Entry], Rating], entry: Entry, chosen: list[Site], promised: dict[Site, float], reached: float
) -> Added | None:
    """The site whose joining lowers the objective most, rating only those whose last promise is as high."""
    rated: dict[Site, Rating] = {}
    while True:
        site = max(promised, key=lambda one: promised[one])
        if promised[site] <= 0:
            return None
        if site in rated:
            return Added(site, rated[site])
        rated[site] = rate(replace(entry, vector=at_sites(entry.vector, [*chosen, site])))
        promised[site] = reached - rated[site].objective


def at_sites(vector: SteeringVector, sites: Sequence[Site]) -> SteeringVector:
    """The vector at some of its sites."""
    return replace(vector, sites={site: vector.sites[site] for site in sites})


def rows_at_most(sites: int, top_k: int) -> int:
    """UNet rows of the noised pairs, and about what rating all sites once and a few more often takes."""
    rows = 2 * 2 * PAIRS
    return rows * STEPS + 2 * rows * LEVELS + rows * LEVELS * (sites + 4 * top_k)
