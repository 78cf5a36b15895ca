"""Entries resolved against one site and call: which act together, on which rows, in which order."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from ..checks import some_of
from ..errors import SteeringError
from ..models.call import Call
from ..models.conditioning import LENGTH
from ..models.hooks import as_tokens, like_output
from ..sites import TEXT, Site, sort_sites
from .entry import Entry
from .joint import join
from .masks import mask_tokens, within
from .operators import INTERVENTIONS, Rows
from .presets import EditSettings

MOST_CACHED = 4096
"""Sites and calls whose work is kept: 50 steps at 70 sites, and some."""


@dataclass(frozen=True, eq=False)
class _Step:
    """Rows applied together at a site and noise level, and how."""

    rows: Rows
    settings: EditSettings
    mode: str
    mask: Tensor | None


@dataclass(frozen=True, eq=False)
class _Place:
    """Rows of a call that are steered.

    Attributes:
        numbers: their numbers ``[n]``, on the device.
        rows: where they are: a slice where they stand side by side, as a half of guidance does, which needs no copy;
            else their numbers.
    """

    numbers: Tensor
    rows: slice | Tensor


_Work = tuple[tuple[_Place, _Step], ...]
"""What is done to a site's output in a call, one after the other."""


@dataclass(frozen=True, eq=False)
class _Text:
    """A text embedding that was steered.

    Attributes:
        given: what came, and a copy of it where it can be compared with what comes next without waiting for a device.
        call: the call in which it came.
        work: what was done to it.
        result: what it became.
    """

    given: Tensor
    copy: Tensor | None
    call: Call
    work: _Work
    result: Tensor | None

    def holds_for(self, given: Tensor, work: _Work) -> bool:
        """Whether the result is also that of another tensor: of equal values, device, precision and edits."""
        if self.copy is None or self.work != work or (self.copy.device, self.copy.dtype) != (given.device, given.dtype):
            return False
        return torch.equal(self.copy, given)


class Steering:
    """Entries resolved against sites: ``edit(site, output, call)`` is all that a hook needs."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._works: dict[tuple[Site, Call, torch.device], _Work] = {}
        self._cache: dict[tuple[Site, tuple, torch.device], list[_Step]] = {}
        self._masks: dict[tuple[int, int, tuple[int, int], torch.device], Tensor] = {}
        self._text: _Text | None = None
        self.visited: set[Site] = set()
        self.levels: set[float] = set()

    @property
    def sites(self) -> list[Site]:
        """Every site that some entry of non-zero strength may touch."""
        return sort_sites({site for entry in self.entries if entry.strength for site in entry.vector.sites})

    def edit(self, site: Site, output: Tensor, call: Call) -> Tensor | None:
        """The steered output of a site, or None where nothing acts on it."""
        known = self._text
        # Each cross-attention of a call reads it twice, for keys and for values.
        if known is not None and known.given is output and known.call is call and site == TEXT:
            return known.result
        self.visited.add(site)
        self.levels.update(call.sigmas)
        call.check_rows(site, output)
        work = self._work(site, call, output.device)
        return self._edited_text(output, call, work) if site == TEXT else self._edited(output, call, work)

    def _edited(self, output: Tensor, call: Call, work: _Work) -> Tensor | None:
        result = None
        for place, step in work:
            weights = self._weights(step.mask, output, place, call)
            result = _edit_rows(output if result is None else result, place, step, weights)
        return result

    def _edited_text(self, output: Tensor, call: Call, work: _Work) -> Tensor | None:
        """The same for a text embedding, which in most runs is that of the step before."""
        known = self._text
        if known is not None and known.holds_for(output, work):
            known = replace(known, given=output, call=call)
        else:
            copy = output.clone() if output.device.type == "cpu" else None
            known = _Text(output, copy, call, work, self._edited_words(output, call, work))
        self._text = known  # last, and read no more: ComfyUI may run the halves of guidance in threads of their own
        return known.result

    def _edited_words(self, output: Tensor, call: Call, work: _Work) -> Tensor | None:
        """The same, without whatever else stands behind the words, as the tokens of a style or a picture do."""
        length = output.shape[1] // LENGTH * LENGTH or output.shape[1]
        words = self._edited(output[:, :length], call, work)
        return words if words is None or length == output.shape[1] else torch.cat([words, output[:, length:]], 1)

    def begin(self) -> None:
        """Forget the run before, which may have been interrupted."""
        self._text = None
        self.visited, self.levels = set(), set()

    def finish(self) -> None:
        """Report what of a run that has ended was never reached, and forget the run.

        Raises:
            SteeringError: the UNet ran and never came to a site that is to be steered.
        """
        levels, visited = self.levels, self.visited
        self.begin()
        wanted = self.sites
        missed = [site for site in wanted if site not in visited]
        if visited and missed:
            raise SteeringError(
                f"steering reached {len(wanted) - len(missed)} of {len(wanted)} sites in this run and never "
                f"{some_of(missed)}: something else skips or replaces these blocks; take it out, or build the vector "
                "at others"
            )
        for entry in self.entries if levels else ():
            if entry.strength and not any(entry.acts(site, level) for site in entry.vector.sites for level in levels):
                warnings.warn(
                    f"the vector of {entry.vector.concept or 'a concept'} did nothing: it acts at none of the "
                    f"{len(levels)} noise levels of this run, from {max(levels):.4g} to {min(levels):.4g}; widen its "
                    "part of the schedule, take more steps, or build it at more levels",
                    stacklevel=3,
                )

    def _weights(self, mask: Tensor | None, output: Tensor, place: _Place, call: Call) -> Tensor | None:
        """The mask's weight of every token of the chosen rows ``[n, T, 1]``; masks follow the batch in turn."""
        if mask is None:
            return None
        if call.latent is None:
            raise SteeringError("a mask needs the size of the latents; steer a loaded model, or leave the mask out")
        key = (id(mask), as_tokens(output).shape[1], call.latent, output.device)
        if key not in self._masks:
            self._masks[key] = mask_tokens(mask, key[1], call.latent).to(output.device)
        weights = self._masks[key]
        latents = place.numbers % (call.batch or len(call.sigmas))
        return weights[latents % len(weights)]

    def _work(self, site: Site, call: Call, device: torch.device) -> _Work:
        key = (site, call, device)
        if key not in self._works:
            if len(self._works) >= MOST_CACHED:  # as samplers with steps of their own come to ever new noise levels
                self._works.clear()
            found = []
            for sigma in sorted(set(call.sigmas)):
                for step in self._steps(site, sigma, device):
                    rows = call.acting(sigma, step.settings.half)
                    if rows:
                        found.append((_place(tuple(rows), device), step))
            self._works[key] = tuple(found)
        return self._works[key]

    def _steps(self, site: Site, sigma: float, device: torch.device) -> list[_Step]:
        """What acts at a noise level; kept by the levels of the vectors, which are few, whatever those of the run."""
        acting = [entry for entry in self.entries if entry.acts(site, sigma)]
        key = (site, tuple((id(entry), *entry.knots(sigma)) for entry in acting), device)
        if key not in self._cache:
            steps = [
                _Step(join(group, site, sigma).to(device), group[0].settings, group[0].mode, group[0].mask)
                for group in _together(acting)
            ]
            self._cache[key] = [step for step in steps if len(step.rows.directions)]
        return self._cache[key]


def _together(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries in the groups that act at once: suppressions of equal settings and mask, then each of the others.

    A vector that reads with other rows than it moves along acts for itself, one after the other in their order: its
    rows and another's cannot be made orthogonal without changing what it does. So does one with a condition of its own.
    """
    groups: dict[tuple, list[Entry]] = {}
    for number, entry in enumerate(entries):
        own_readout = any(part.readout is not None or part.local for part in entry.vector.sites.values())
        alone = entry.mode != "suppress" or own_readout or entry.settings.gate == "prompt"
        alike = number if alone else (entry.settings, id(entry.mask))
        groups.setdefault((entry.mode, alike), []).append(entry)
    order = list(INTERVENTIONS)
    return sorted(groups.values(), key=lambda group: order.index(group[0].mode))


@lru_cache(maxsize=128)
def _place(rows: tuple[int, ...], device: torch.device) -> _Place:
    """Where rows are; the same for all sites and calls, so that it is copied to the device once."""
    numbers, side_by_side = torch.tensor(rows, device=device), rows[-1] - rows[0] + 1 == len(rows)
    return _Place(numbers, slice(rows[0], rows[-1] + 1) if side_by_side else numbers)


def _edit_rows(output: Tensor, place: _Place, step: _Step, weights: Tensor | None) -> Tensor:
    """A site's output with some of its rows steered, in float32; a new tensor, laid out in memory as the old one."""
    part = output[place.rows]
    tokens = as_tokens(part).float()
    moved = INTERVENTIONS[step.mode](tokens, step.rows, step.settings)
    if weights is not None:
        moved = within(tokens, moved, weights)
    result = torch.empty_like(output) if len(part) == len(output) else output.clone()
    placed = like_output(moved, part)
    # Only a slice takes another precision as it is, in one pass.
    result[place.rows] = placed if isinstance(place.rows, slice) else placed.to(output.dtype)
    return result
