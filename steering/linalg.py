"""Linear algebra that several rooms need: turning a basis so that its first row is the one that a gate reads."""

from __future__ import annotations

import torch
from torch import Tensor

LEAST_RESIDUAL = 0.1
"""A direction of which less than this is left beside others is dropped: a short remainder is mostly noise."""


def lead_first(rows: Tensor, difference: Tensor) -> Tensor:
    """Orthonormal rows ``[K, C]`` turned within their span so that the first points along ``difference [C]``.

    That is along its projection onto the span; the others are orthogonal to it.
    """
    mean = rows @ difference
    # QR of (mean, e_1, e_2, ...) gives a basis of the span whose first vector is the mean's, up to its sign.
    turn = torch.linalg.qr(torch.column_stack([mean, torch.eye(len(rows), dtype=rows.dtype)]))[0]
    lead = torch.where(turn[:, 0] @ mean < 0, -turn[:, 0], turn[:, 0])
    return torch.column_stack([lead, turn[:, 1:]]).T @ rows
