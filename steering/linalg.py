"""Linear algebra: bases whose first row is the one that a gate reads, and rows made orthonormal in their order."""

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


def gram_schmidt_rows(rows: Tensor, used: Tensor) -> Tensor:
    """Gram-Schmidt in order: ``[S, J, C]`` without the rows of which too little is left at a ``used`` noise level.

    Where a noise level is not used, such rows become some direction at right angles to the others.
    """
    kept = list(range(rows.shape[1]))
    while True:
        basis, triangle = torch.linalg.qr(rows[:, kept].mT)
        corner = triangle.diagonal(dim1=1, dim2=2)  # what is left of each row beside the earlier ones, [S, J]
        short = ((corner.abs() < LEAST_RESIDUAL) & used[:, None]).any(0)
        if not short.any():
            return (basis * torch.where(corner < 0, -1.0, 1.0)[:, None]).mT
        kept.pop(int(short.nonzero()[0]))
