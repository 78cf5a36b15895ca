"""Steering in a part of the picture: which token lies where, and mixing steered and unsteered tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import SteeringError


def within(x: Tensor, moved: Tensor, weights: Tensor) -> Tensor:
    """Only inside a mask: x' = x + m (moved - x) for tokens ``[B, T, C]`` and weights ``[B, T, 1]`` in 0..1.

    Where m is 0, x stays as it is, bit for bit.
    """
    return torch.where(weights == 0, x, x + weights * (moved - x))


def token_grid(tokens: int, latent: tuple[int, int]) -> tuple[int, int]:
    """Height and width in which a site's tokens lie, row by row; every level of the UNet halves them, rounding up.

    Raises:
        SteeringError: no level of the UNet has that many tokens.
    """
    height, width = latent
    while height * width > max(tokens, 1):
        height, width = (height + 1) // 2, (width + 1) // 2
    if height * width != tokens:
        raise SteeringError(
            f"{tokens} tokens are no level of a UNet on latents of {latent[0]} x {latent[1]}, so the mask cannot be "
            "placed: something merges tokens or rescales the picture there (ToMe, Deep Shrink); take it out, or leave "
            "the mask out, or those sites when you load the vector"
        )
    return height, width


def mask_tokens(mask: Tensor, tokens: int, latent: tuple[int, int]) -> Tensor:
    """A mask ``[M, H, W]`` as weights of a site's tokens ``[M, T, 1]``, averaged over each token's area.

    Args:
        mask: weights from 0 to 1, over the whole picture.
        tokens: number of tokens T of the site.
        latent: height and width of the latents.

    Raises:
        SteeringError: no level of the UNet has that many tokens.
    """
    height, width = token_grid(tokens, latent)
    fitted = torch.nn.functional.interpolate(mask[:, None].float(), (height, width), mode="area")
    return fitted.flatten(1)[..., None]
