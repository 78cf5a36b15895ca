"""Backgrounds of contrastive PCA: samples that hold what is to be ignored, and not what is looked for.

Abid et al. (arXiv 1709.06716) name four kinds. What a capture of pairs offers for each:

    negatives      a control group: prompts without the concept
    within         a homogeneous group beside a mixed one: positives and negatives, each about its own mean
    early          the same before: the positives at the first noise level at which the site reacts to text
    (a capture)    signal-free recordings: differences of neutral pairs, two prompts from the same noise that have
                   nothing to do with the concept

The last one is no function here but another capture's differences, not centred, since which prompt of a neutral pair
comes first is arbitrary.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import torch
from torch import Tensor

from ..errors import SteeringError


def negatives(positive: Tensor, negative: Tensor, first: Tensor) -> Tensor:
    """The negatives, centred ``[N, C]``."""
    return negative - negative.mean(0)


def within(positive: Tensor, negative: Tensor, first: Tensor) -> Tensor:
    """Positives and negatives, each about its own mean ``[2N, C]``."""
    return torch.cat([positive - positive.mean(0), negative - negative.mean(0)])


def early(positive: Tensor, negative: Tensor, first: Tensor) -> Tensor:
    """The positives at the first noise level, centred ``[N, C]``."""
    return first - first.mean(0)


Background = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(positive ``[N, C]``, negative ``[N, C]``, positive at the site's first active noise level) -> samples ``[M, C]``."""
BACKGROUNDS: MappingProxyType[str, Background] = MappingProxyType(
    {"negatives": negatives, "within": within, "early": early}
)
"""Name -> function."""


def get_background(name: str) -> Background:
    """The background of a name; raises SteeringError naming the legal ones."""
    if name not in BACKGROUNDS:
        raise SteeringError(
            f"background {name!r} is not one of {', '.join(BACKGROUNDS)}, nor a capture of neutral pairs"
        )
    return BACKGROUNDS[name]
