"""From the activations of pairs to directions: one function per method.

Each takes ``positive, negative [N, C]`` of one site and noise level and returns orthonormal rows
``[K, C]``, the first with a positive inner product with the mean difference.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import torch
from torch import Tensor


def mean_difference(positive: Tensor, negative: Tensor) -> Tensor:
    """Mean difference: r = unit(mean_i (a⁺_i - a⁻_i)), one row ``[1, C]``.

    The difference of means, as in Arditi et al. (arXiv 2406.11717) and CASteer (arXiv 2503.09630).
    """
    return torch.nn.functional.normalize((positive - negative).mean(0, keepdim=True), dim=-1)


def principal(positive: Tensor, negative: Tensor) -> Tensor:
    """First principal direction of the paired differences, one row ``[1, C]``.

    The leading right singular vector of the N x C matrix of a⁺_i - a⁻_i, *not* centred: what all
    pairs share is the signal here, and centring would remove it (Zou et al., arXiv 2310.01405, flip
    signs at random to the same end).
    """
    differences = positive - negative
    row = torch.linalg.svd(differences, full_matrices=False).Vh[:1]
    return row * torch.where((row @ differences.mean(0)) < 0, -1.0, 1.0)


DIRECTIONS: MappingProxyType[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {"mean": mean_difference, "pca": principal}
)
"""Method name -> function."""


def get_direction(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The method of a name; raises ValueError naming the legal ones."""
    if name not in DIRECTIONS:
        raise ValueError(f"direction {name!r} is not one of {', '.join(DIRECTIONS)}")
    return DIRECTIONS[name]
