"""What a UNet is told of its prompts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SteeringError

LENGTH = 77
"""Tokens of a chunk of a prompt, with its start and end."""
TOGETHER = 64
"""Most chunks that prompts of different lengths are repeated to; any two of up to eight chunks meet below."""


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What a UNet is told of B prompts.

    Attributes:
        context: text embeddings ``[B, T, C]``, which cross-attention reads.
        pooled: one embedding a prompt ``[B, P]``, for models that take one.
    """

    context: Tensor
    pooled: Tensor | None = None

    def __len__(self) -> int:
        return len(self.context)

    def __getitem__(self, rows: slice | Tensor | Sequence[int]) -> Conditioning:
        return Conditioning(self.context[rows], None if self.pooled is None else self.pooled[rows])

    def to(self, device: torch.device, dtype: torch.dtype) -> Conditioning:
        """The same elsewhere and in another precision."""
        pooled = None if self.pooled is None else self.pooled.to(device, dtype)
        return Conditioning(self.context.to(device, dtype), pooled)

    def expand(self, count: int) -> Conditioning:
        """One prompt for ``count`` rows, or ``count`` prompts as they are."""
        pooled = None if self.pooled is None else self.pooled.expand(count, -1)
        return Conditioning(self.context.expand(count, -1, -1), pooled)

    def split(self, batch: int) -> list[Conditioning]:
        """The prompts, so many at a time."""
        return [self[start : start + batch] for start in range(0, len(self), batch)]


def together(parts: Sequence[Conditioning]) -> Conditioning:
    """Prompts one after the other, at one length."""
    pooled = [part.pooled for part in parts if part.pooled is not None]
    context = torch.cat(same_length([part.context for part in parts]))
    return Conditioning(context, torch.cat(pooled) if pooled else None)


def side_by_side(parts: Sequence[Conditioning]) -> Conditioning:
    """What several text encoders say of the same prompts: contexts beside one another, the last one's pooled."""
    return Conditioning(torch.cat([part.context for part in parts], -1), parts[-1].pooled)


def same_length(contexts: Sequence[Tensor]) -> list[Tensor]:
    """Embeddings ``[..., T, C]`` repeated along their tokens to a common length, which attention does not notice."""
    longest = math.lcm(*(context.shape[-2] for context in contexts))
    if longest > TOGETHER * LENGTH:
        raise SteeringError("prompts of very different lengths cannot be drawn together; draw them one by one")
    return [context.repeat(*[1] * (context.ndim - 2), longest // context.shape[-2], 1) for context in contexts]


def with_size(pooled: Tensor, x: Tensor) -> dict[str, Tensor]:
    """The pooled embedding with the picture's size, no crop, and the size again: heights before widths."""
    height, width = 8 * x.shape[-2], 8 * x.shape[-1]
    # In float32 whatever the precision: the UNet makes waves of these numbers first.
    sizes = torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32, device=x.device)
    return {"text_embeds": pooled, "time_ids": sizes.expand(len(pooled), -1)}
