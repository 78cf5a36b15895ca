"""How alike vectors are: cosines of their leading directions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .alignment import aligned, check_widths, used_knots
from .vector import SteeringVector


def cosines(vectors: Sequence[SteeringVector]) -> Tensor:
    """Mean cosine of the vectors' leading directions ``[V, V]``.

    The mean is over the sites that both have and the noise levels at which at least one of the two is steered
    and both have a direction; NaN where there are none.

    Raises:
        SteeringError: vectors for different models.
    """
    check_widths(vectors)
    beside = aligned(vectors)
    levels = beside[0].active_knots
    return torch.tensor([[_cosine(a, b, levels) for b in beside] for a in beside])


def _cosine(a: SteeringVector, b: SteeringVector, levels: Tensor) -> float:
    found = []
    for site in set(a.sites) & set(b.sites):
        first, second = a.sites[site], b.sites[site]
        used = (used_knots(first, levels) | used_knots(second, levels)) & first.held & second.held
        found.append((first.direction[:, 0].float() * second.direction[:, 0].float()).sum(-1)[used])
    values = torch.cat(found) if found else torch.empty(0)
    return float(values.mean())  # the mean of nothing is NaN


def cosine_table(names: Sequence[str], matrix: Tensor) -> str:
    """The matrix ``[V, V]`` as text, a line a vector."""
    width = max(8, *(len(name) for name in names))
    lines = [" " * width + "".join(f"{i + 1:>8}" for i in range(len(names)))]
    for name, row in zip(names, matrix.tolist(), strict=True):
        lines.append(f"{name:<{width}}" + "".join(f"{'-':>8}" if value != value else f"{value:>8.3f}" for value in row))
    return "\n".join(lines)


def name_of(vector: SteeringVector, number: int) -> str:
    """A vector's concept, else its number from 1."""
    return str(vector.metadata.get("concept") or f"vector {number + 1}")
