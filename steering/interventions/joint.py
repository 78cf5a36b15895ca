"""The rows of several vectors that act at once, made orthonormal so that none undoes another."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from ..linalg import LEAST_RESIDUAL
from ..sites import Site
from .entry import Entry
from .operators import Rows


def join(group: Sequence[Entry], site: Site, sigma: float) -> Rows:
    """The rows of several entries of equal settings, orthonormalised in order; see `_stronger` for those left out."""
    alone = [entry.rows(site, sigma) for entry in group]
    if len(alone) == 1:
        return alone[0]
    kept, sources = orthonormalise(alone)
    offsets, strengths, leads, total = [], [], [], 0
    for entry, rows, directions, source in zip(group, alone, kept, sources, strict=True):
        # A threshold lies as far above the negative mean along the turned row as along the vector's own.
        above = rows.offsets - entry.offsets(site, sigma, rows.readouts)
        offsets.append(entry.offsets(site, sigma, directions) + above[source])
        strengths.append(rows.strengths[source])
        leads.append(torch.full_like(source, total))
        total += len(source)
    basis = torch.cat(kept)
    strengths = torch.cat(strengths)
    for rows, source in zip(alone, sources, strict=True):
        for number in set(range(len(rows.directions))) - set(source.tolist()):
            strengths = _stronger(strengths, basis, rows.directions[number], rows.strengths[number], site)
    return Rows(basis, torch.cat(offsets), strengths, torch.cat(leads), basis)


def _stronger(strengths: Tensor, basis: Tensor, row: Tensor, strength: Tensor, site: Site) -> Tensor:
    """The strengths of orthonormal rows ``[J, C]`` that cover another row ``[C]``.

    Where one of them is that row, as where a vector is applied twice, the stronger of both counts; a row that lies
    between several is dropped.
    """
    along = (basis @ row).abs()
    same = int(along.argmax())
    is_one = bool(along[same] ** 2 >= 1 - LEAST_RESIDUAL**2)
    became = "acts once, with the stronger of both strengths" if is_one else "was dropped"
    warnings.warn(f"{site}: a direction that earlier vectors already cover {became}", stacklevel=3)
    if not is_one or abs(strength) <= abs(strengths[same]):
        return strengths
    return strengths.index_fill(0, torch.tensor([same]), float(strength))


def orthonormalise(entries: list[Rows]) -> tuple[list[Tensor], list[Tensor]]:
    """Gram-Schmidt over the rows of several entries in their order.

    Returns for each entry its orthonormal rows ``[J', C]`` and the indices ``[J']`` of the rows they
    came from. A row whose residual is shorter than `LEAST_RESIDUAL` is left out: it says what earlier rows
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
            if residual.norm() >= LEAST_RESIDUAL:
                basis.append(residual / residual.norm())
                mine.append(basis[-1])
                indices.append(index)
            elif index == 0:
                break  # an entry is gated by its leading row; without it the others must not act
        width = entry.directions.shape[1]
        kept.append(torch.stack(mine).float() if mine else torch.empty(0, width))
        sources.append(torch.tensor(indices, dtype=torch.long))
    return kept, sources
