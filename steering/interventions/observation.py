"""What steering did during a run: which sites it moved, how far, and how many tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.call import Call, SteerableModel, running_call
from ..models.hooks import as_tokens, site_hooks
from ..sites import Site, sort_sites
from .engine import Steering
from .entry import Entry
from .steer import resolve


@dataclass(frozen=True, eq=False)
class Observation:
    """One entry at one site in one UNet call, over the tokens of the rows that it acts on.

    Attributes:
        entry: number of the entry.
        site: the site.
        sigma: the noise level.
        before: mean coordinate <x, r> before, r being the entry's leading direction there.
        after: the same afterwards, when all entries have acted.
        touched: share of tokens that are not what they were, 0 to 1.
        tokens: coordinates before and after of every token of the prompts' rows ``[2, n, T]``, float16 on the CPU;
            None where not kept. The negative prompt's rows count above, but show another picture.
        pictures: number in the batch of each of the n rows.
        latent: height and width of the latents, from which the tokens' places follow; None where unknown.
    """

    entry: int
    site: Site
    sigma: float
    before: float
    after: float
    touched: float
    tokens: Tensor | None = None
    pictures: tuple[int, ...] = ()
    latent: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Pending:
    """An observation whose numbers are still on the device, to spare a synchronisation a site.

    Attributes:
        entry, site, sigma, tokens, pictures, latent: as in `Observation`.
        figures: mean coordinate before, the same after, share of tokens touched ``[3]``.
    """

    entry: int
    site: Site
    sigma: float
    figures: Tensor
    tokens: Tensor
    pictures: tuple[int, ...]
    latent: tuple[int, int] | None


def observe(entries: Sequence[Entry], site: Site, before: Tensor, after: Tensor, call: Call) -> list[Pending]:
    """What each entry's direction says of a site's output before and after the edit.

    An entry of strength 0 is observed as well: it moves nothing, and shows where the model holds its concept.
    """
    seen = []
    for number, entry in enumerate(entries):
        for sigma in sorted(set(call.sigmas)):
            if not entry.reaches(site, sigma):
                continue
            rows = call.acting(sigma, entry.settings.half)
            if rows:
                seen.append(_seen(number, entry, site, sigma, before[rows], after[rows], rows, call))
    return seen


Edit = Callable[[Site, Tensor, Call], Tensor | None]
"""(site, its output, the call) -> the steered output, or None where nothing acts."""


def observing(steering: Steering, note: Callable[[list[Pending]], None]) -> Edit:
    """`Steering.edit` that also tells ``note`` what it did."""

    def edit(site: Site, output: Tensor, call: Call) -> Tensor | None:
        result = steering.edit(site, output, call)
        note(observe(steering.entries, site, output, output if result is None else result, call))
        return result

    return edit


@contextmanager
def steer_and_observe(model: SteerableModel, entries: Sequence[Entry]) -> Iterator[list[Pending]]:
    """Steer a loaded model inside the block as `steering.interventions.steer.steer` does, and note what that does.

    Yields the list that fills while the model samples; `settle` makes numbers of it.

    Raises:
        SteeringError: a site or width that the model does not have.
    """
    seen: list[Pending] = []
    steering = Steering(entries)
    edit = observing(steering, seen.extend)
    modules = resolve(model.unet, steering, model.family)
    with site_hooks(modules, lambda site, output: edit(site, output, running_call(model))):
        yield seen


def _seen(
    number: int, entry: Entry, site: Site, sigma: float, before: Tensor, after: Tensor, rows: list[int], call: Call
) -> Pending:
    lead = entry.vector.sites[site].rows_read[entry.vector.knot(sigma), 0].to(before.device).float()
    old, new = as_tokens(before).float(), as_tokens(after).float()
    tokens = torch.stack([old @ lead, new @ lead])
    figures = torch.cat([tokens.mean((1, 2)), (old != new).any(-1).float().mean()[None]])
    prompts = [i for i, row in enumerate(rows) if call.conditional[row]]
    pictures = tuple(rows[i] % (call.batch or len(call.sigmas)) for i in prompts)
    return Pending(number, site, sigma, figures, tokens[:, prompts].half(), pictures, call.latent)


def settle(pending: Sequence[Pending]) -> list[Observation]:
    """The observations as plain numbers, fetched from each device at once."""
    if not pending:
        return []
    figures = _fetched([seen.figures for seen in pending])
    tokens = _fetched([seen.tokens.flatten() for seen in pending])
    return [
        Observation(
            seen.entry, seen.site, seen.sigma, *row, mine.reshape(seen.tokens.shape), seen.pictures, seen.latent
        )
        for seen, row, mine in zip(pending, map(_three, figures), tokens, strict=True)
    ]


def _fetched(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Flat tensors of one precision on the CPU, from each device in one copy."""
    found: dict[int, Tensor] = {}
    for device in dict.fromkeys(tensor.device for tensor in tensors):
        there = [i for i, tensor in enumerate(tensors) if tensor.device == device]
        sizes = [len(tensors[i]) for i in there]
        found |= dict(zip(there, torch.cat([tensors[i] for i in there]).cpu().split(sizes), strict=True))
    return [found[i] for i in range(len(tensors))]


def _three(figures: Tensor) -> tuple[float, float, float]:
    before, after, touched = figures.tolist()
    return before, after, touched


def table(observations: Sequence[Observation]) -> str:
    """One line a site: at how many noise levels, mean coordinate before and after, share of tokens touched."""
    lines = [f"{'site':<14}{'levels':>7}{'before':>10}{'after':>10}{'tokens':>9}"]
    for site in sort_sites({seen.site for seen in observations}):
        mine = [seen for seen in observations if seen.site == site]
        levels = len({seen.sigma for seen in mine})
        before, after, touched = (
            sum(getattr(seen, name) for seen in mine) / len(mine) for name in ("before", "after", "touched")
        )
        lines.append(f"{site!s:<14}{levels:>7}{before:>10.3f}{after:>10.3f}{100 * touched:>8.1f}%")
    return "\n".join(lines)
