"""Entries resolved against one site and call: which act together, on which rows, in which order."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..checks import some_of
from ..errors import SteeringError
from ..linalg import LEAST_RESIDUAL
from ..models.call import Call
from ..models.hooks import as_tokens, like_output
from ..sites import TEXT, Site, sort_sites
from .entry import Entry
from .masks import mask_tokens, within
from .operators import INTERVENTIONS, Rows
from .presets import Settings


def orthonormalise(entries: list[Rows], minimum: float = LEAST_RESIDUAL) -> tuple[list[Tensor], list[Tensor]]:
    """Gram-Schmidt over the rows of several entries in their order.

    Returns for each entry its orthonormal rows ``[J', C]`` and the indices ``[J']`` of the rows they
    came from. A row whose residual is shorter than ``minimum`` is dropped: it says what earlier rows
    say already, and dividing by a short residual would blow up noise. Without its leading row an entry
    has none.
    """
    basis: list[Tensor] = []
    kept, sources = [], []
    for entry in entries:
        mine, indices = [], []
        for index, row in enumerate(entry.directions.double()):
            residual = row
            for _ in range(2):  # twice is enough (Kahan): the second pass removes what rounding left
                for earlier in basis:
                    residual = residual - (residual @ earlier) * earlier
            if residual.norm() >= minimum:
                basis.append(residual / residual.norm())
                mine.append(basis[-1])
                indices.append(index)
            elif index == 0:
                break  # an entry is gated by its leading row; without it the others must not act
        width = entry.directions.shape[1]
        kept.append(torch.stack(mine).float() if mine else torch.empty(0, width))
        sources.append(torch.tensor(indices, dtype=torch.long))
    return kept, sources


MOST_CACHED = 4096
"""Sites and noise levels whose rows are kept: 50 steps at 70 sites, and some."""


@dataclass(frozen=True, eq=False)
class _Step:
    """Rows applied together at a site and noise level, and how."""

    rows: Rows
    settings: Settings
    mode: str
    mask: Tensor | None


class Steering:
    """Entries resolved against sites: ``edit(site, output, call)`` is all that a hook needs."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._cache: dict[tuple[Site, float, torch.device], list[_Step]] = {}
        self._masks: dict[tuple[int, int, tuple[int, int], torch.device], Tensor] = {}
        self._text: tuple[Tensor, Call, Tensor | None] | None = None
        self.visited: set[Site] = set()
        self.levels: set[float] = set()

    @property
    def sites(self) -> list[Site]:
        """Every site that some entry of non-zero strength may touch."""
        return sort_sites({site for entry in self.entries if entry.strength for site in entry.vector.sites})

    def edit(self, site: Site, output: Tensor, call: Call) -> Tensor | None:
        """The steered output of a site, or None where nothing acts on it."""
        self.visited.add(site)
        self.levels.update(call.sigmas)
        call.check_rows(site, output)
        # Every cross-attention reads the same text, twice.
        if site == TEXT and self._text is not None and self._text[0] is output and self._text[1] is call:
            return self._text[2]
        result = self._edited(site, output, call)
        if site == TEXT:
            self._text = (output, call, result)
        return result

    def _edited(self, site: Site, output: Tensor, call: Call) -> Tensor | None:
        result = None
        for sigma in sorted(set(call.sigmas)):
            for step in self._steps(site, sigma, output.device):
                acting = _acting_rows(call, sigma, step.settings.half, output.device)
                if acting is not None:
                    weights = self._weights(step.mask, output, acting, call)
                    result = _edit_rows(output if result is None else result, acting, step, weights)
        return result

    def begin(self) -> None:
        """Forget the run before, which may have been interrupted."""
        self._text = None
        self.visited, self.levels = set(), set()

    def check_visited(self) -> None:
        """What of a run that has ended did not come about; begin anew.

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

    def _weights(self, mask: Tensor | None, output: Tensor, acting: _Acting, call: Call) -> Tensor | None:
        """The mask's weight of every token of the chosen rows ``[n, T, 1]``; masks follow the batch in turn."""
        if mask is None:
            return None
        if call.latent is None:
            raise SteeringError("a mask needs the size of the latents; steer a loaded model, or leave the mask out")
        key = (id(mask), as_tokens(output).shape[1], call.latent, output.device)
        if key not in self._masks:
            self._masks[key] = mask_tokens(mask, key[1], call.latent).to(output.device)
        weights = self._masks[key]
        latents = acting.numbers % (call.batch or len(call.sigmas))
        return weights[latents % len(weights)]

    def _steps(self, site: Site, sigma: float, device: torch.device) -> list[_Step]:
        key = (site, sigma, device)
        if key not in self._cache:
            if len(self._cache) >= MOST_CACHED:  # as samplers with steps of their own come to ever new noise levels
                self._cache.clear()
            acting = [entry for entry in self.entries if entry.acts(site, sigma)]
            steps = [
                _Step(_join(group, site, sigma).to(device), group[0].settings, group[0].mode, group[0].mask)
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


@dataclass(frozen=True, eq=False)
class _Acting:
    """Rows of a call that are steered.

    Attributes:
        numbers: their numbers ``[n]``, on the device.
        place: where they are: a slice where they stand side by side, as a half of guidance does, which needs no copy;
            else their numbers.
    """

    numbers: Tensor
    place: slice | Tensor


@lru_cache(maxsize=128)
def _acting_rows(call: Call, sigma: float, half: str, device: torch.device) -> _Acting | None:
    """`Call.acting` on the device, None where it is empty; the same for all sites of a call."""
    rows = call.acting(sigma, half)
    if not rows:
        return None
    numbers, side_by_side = torch.tensor(rows, device=device), rows[-1] - rows[0] + 1 == len(rows)
    return _Acting(numbers, slice(rows[0], rows[-1] + 1) if side_by_side else numbers)


def _join(group: list[Entry], site: Site, sigma: float) -> Rows:
    """The rows of several entries of equal settings, orthonormalised in order."""
    alone = [entry.rows(site, sigma) for entry in group]
    if len(alone) == 1:
        return alone[0]
    kept, sources = orthonormalise(alone)
    offsets, strengths, leads, total = [], [], [], 0
    for entry, rows, directions, source in zip(group, alone, kept, sources, strict=True):
        if len(source) < len(rows.directions):
            warnings.warn(f"{site}: a direction that earlier vectors already cover was dropped", stacklevel=2)
        # A threshold lies as far above the negative mean along the turned row as along the vector's own.
        above = rows.offsets - entry.offsets(site, sigma, rows.readouts)
        offsets.append(entry.offsets(site, sigma, directions) + above[source])
        strengths.append(rows.strengths[source])
        leads.append(torch.full_like(source, total))
        total += len(source)
    basis = torch.cat(kept)
    return Rows(basis, torch.cat(offsets), torch.cat(strengths), torch.cat(leads), basis)


def _edit_rows(output: Tensor, acting: _Acting, step: _Step, weights: Tensor | None) -> Tensor:
    everything = len(acting.numbers) == len(output)
    part = output if everything else output[acting.place]
    tokens = as_tokens(part)
    moved = INTERVENTIONS[step.mode](tokens, step.rows, step.settings)
    if weights is not None:
        moved = within(tokens, moved, weights)
    if everything:
        return like_output(moved, output)
    if isinstance(acting.place, slice):
        before, after = output[: acting.place.start], output[acting.place.stop :]
        return torch.cat([before, like_output(moved, part), after])
    result = output.clone()
    result[acting.place] = like_output(moved, part)
    return result
