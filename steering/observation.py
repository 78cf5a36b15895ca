"""What steering did during a run: which sites it moved, how far, and how many tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .hooks import as_tokens
from .sites import Site, sort_sites
from .steer import Call, Entry


@dataclass(frozen=True)
class Observation:
    """One entry at one site in one UNet call, over the tokens of the rows that it acts on.

    Attributes:
        entry: number of the entry.
        site: the site.
        sigma: the noise level.
        before: mean coordinate <x, r> before, r being the entry's leading direction there.
        after: the same afterwards, when all entries have acted.
        touched: share of tokens that are not what they were, 0 to 1.
    """

    entry: int
    site: Site
    sigma: float
    before: float
    after: float
    touched: float


@dataclass(frozen=True, eq=False)
class Pending:
    """An observation whose three figures ``[3]`` are still on the device, to spare a synchronisation a site."""

    entry: int
    site: Site
    sigma: float
    figures: Tensor


def observe(entries: Sequence[Entry], site: Site, before: Tensor, after: Tensor, call: Call) -> list[Pending]:
    """What each entry's direction says of a site's output before and after the edit."""
    seen = []
    for number, entry in enumerate(entries):
        for sigma in sorted(set(call.sigmas)):
            if not entry.acts(site, sigma):
                continue
            rows = call.acting(sigma, entry.settings.half)
            if rows:
                seen.append(Pending(number, site, sigma, _figures(entry, site, sigma, before[rows], after[rows])))
    return seen


def _figures(entry: Entry, site: Site, sigma: float, before: Tensor, after: Tensor) -> Tensor:
    lead = entry.vector.sites[site].rows_read[entry.vector.knot(sigma), 0].to(before.device).float()
    old, new = as_tokens(before).float(), as_tokens(after).float()
    return torch.stack([(old @ lead).mean(), (new @ lead).mean(), (old != new).any(-1).float().mean()])


def settle(pending: Sequence[Pending]) -> list[Observation]:
    """The observations as plain numbers, fetched from the device at once."""
    if not pending:
        return []
    figures = torch.stack([seen.figures for seen in pending]).tolist()
    return [Observation(seen.entry, seen.site, seen.sigma, *row) for seen, row in zip(pending, figures, strict=True)]


def table(observations: Sequence[Observation]) -> str:
    """One line a site: UNet calls, mean coordinate before and after, share of tokens touched."""
    lines = [f"{'site':<14}{'calls':>6}{'before':>10}{'after':>10}{'tokens':>9}"]
    for site in sort_sites({seen.site for seen in observations}):
        mine = [seen for seen in observations if seen.site == site]
        calls = len({seen.sigma for seen in mine})
        before, after, touched = (
            sum(getattr(seen, name) for seen in mine) / len(mine) for name in ("before", "after", "touched")
        )
        lines.append(f"{site!s:<14}{calls:>6}{before:>10.3f}{after:>10.3f}{100 * touched:>8.1f}%")
    return "\n".join(lines)
