"""Folds: pairs to learn from and pairs held out."""

from __future__ import annotations

import torch
from torch import Tensor

from .errors import SteeringError

FOLDS = 5


def fold_numbers(count: int) -> Tensor:
    """The fold of every pair ``[N]``, in turn."""
    return torch.arange(count) % min(FOLDS, count)


def folds_of(count: int) -> list[tuple[Tensor, Tensor]]:
    """(pairs to learn from, pairs held out) as bool ``[N]``; every pair is held out once.

    Raises:
        SteeringError: fewer than two pairs.
    """
    if count < 2:
        raise SteeringError(f"{count} pair cannot be held out and learned from; capture at least two")
    numbers = fold_numbers(count)
    return [(numbers != fold, numbers == fold) for fold in range(min(FOLDS, count))]
