"""What is done to the evaluators' training pictures: mild damage that breaks nothing, and wreckage."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor, nn

from .backgrounds import SIZE

TILE = 16


def swap_tiles(picture: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Permute a share of the picture's 16x16 tiles among themselves."""
    side = SIZE // TILE
    tiles = picture.reshape(side, TILE, side, TILE, 3).swapaxes(1, 2).reshape(-1, TILE, TILE, 3).copy()
    chosen = rng.permutation(len(tiles))[: max(2, round(share * len(tiles)))]
    tiles[chosen] = tiles[rng.permutation(chosen)]
    return tiles.reshape(side, side, TILE, TILE, 3).swapaxes(1, 2).reshape(SIZE, SIZE, 3)


@torch.no_grad()
def through_vae(vae: Any, images: Tensor, noise: float = 0.15) -> Tensor:
    """Images ``[N, 3, SIZE, SIZE]`` in -1 to 1 as a VAE gives them back, from latents with noise of up to a share."""
    latents = vae.encode(images).latent_dist.mean
    share = noise * torch.rand(len(latents), 1, 1, 1, device=latents.device)
    noisy = latents + share * latents.std() * torch.randn_like(latents)
    return vae.decode(noisy).sample.clamp(-1, 1)


@torch.no_grad()
def spoil(vae: Any, images: Tensor, spots: Tensor) -> tuple[Tensor, Tensor]:
    """Images with a spot each redrawn by the VAE from blurred latents with soft noise, as a generator fails at a place.

    Args:
        vae: the model's own.
        images: ``[N, 3, SIZE, SIZE]`` in -1 to 1.
        spots: centre and radius in pixels ``[N, 3]``.

    Returns:
        The images as the VAE gives them back, whole and spoiled.
    """
    latents = vae.encode(images).latent_dist.mean
    side = latents.shape[-1]
    middles = (torch.arange(side, device=images.device) + 0.5) * (SIZE / side)
    x, y, radius = (part[:, None, None] for part in spots.T)
    inside = (radius - torch.hypot(middles[None, None, :] - x, middles[None, :, None] - y)) * (side / SIZE) + 0.5

    def share(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), 1, 1, 1, device=images.device)

    coarse = torch.randn(*latents.shape[:2], side // 2, side // 2, device=images.device)
    noise = nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    soft = nn.functional.avg_pool2d(nn.functional.pad(latents, (2, 2, 2, 2), mode="replicate"), 5, 1)
    change = share(0.4, 1.0) * (soft - latents) + share(0.2, 0.9) * latents.std((2, 3), keepdim=True) * noise
    spoiled = latents + inside.clamp(0, 1)[:, None] * change
    whole, broken = (vae.decode(some).sample.clamp(-1, 1) for some in (latents, spoiled))
    return whole, broken


def soften(images: Tensor) -> Tensor:
    """Mild damage of the kind a generator makes, which breaks nothing: blur, contrast, colour, noise.

    Images are ``[B, 3, SIZE, SIZE]`` in -1 to 1; each one is damaged in its own way, by torch's generator.
    """

    def among(low: float, high: float, channels: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(len(images), channels, 1, 1, device=images.device)

    def some(share: float) -> Tensor:
        return torch.rand(len(images), 1, 1, 1, device=images.device) < share

    images = torch.where(some(0.5), blur(images, among(0.3, 1.6).flatten()), images)
    toned = images * among(0.75, 1.35) + among(-0.16, 0.16, 3)
    images = torch.where(some(0.5), toned, images)
    coarse = torch.randn_like(images[:, :, ::2, ::2]).repeat_interleave(2, 2).repeat_interleave(2, 3)
    grain = torch.where(some(0.5), coarse, torch.randn_like(images))
    return (images + some(0.4) * among(0, 0.11) * grain).clamp(-1, 1)


def blur(images: Tensor, sigmas: Tensor, radius: int = 5) -> Tensor:
    """Each image ``[B, C, H, W]`` under a Gaussian of its own width in pixels ``[B]``, edges repeated."""
    count, channels, height, width = images.shape
    steps = torch.arange(-radius, radius + 1, device=images.device)
    kernels = torch.exp(-0.5 * (steps / sigmas[:, None]) ** 2)
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None]
    planes = images.reshape(1, count * channels, height, width)
    for kernel, padding in (
        (kernels[..., None], (0, 0, radius, radius)),
        (kernels[:, :, None], (radius, radius, 0, 0)),
    ):
        padded = nn.functional.pad(planes, padding, mode="replicate")
        planes = nn.functional.conv2d(padded, kernel, groups=count * channels)
    return planes.reshape(images.shape)


def wreck(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture that is no scene any more, in one of the ways of `WRECKS`."""
    values = WRECKS[rng.integers(len(WRECKS))](picture, rng)
    return np.clip(values, 0, 255).astype(np.uint8)


def _shuffled(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return swap_tiles(picture, rng.uniform(0.6, 1.0), rng)


def _drowned(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return picture * rng.uniform(0, 0.4) + rng.uniform(60, 128) + rng.uniform(50, 110) * _grain(rng)


def _saturated(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (picture.astype(np.float32) - 128) * rng.uniform(4, 12) + 128 + rng.uniform(150, 300) * _grain(rng)


def _noise(_picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0, 255, 3) + rng.uniform(25, 110) * _grain(rng)


def _faded(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Hardly any contrast left, under another colour."""
    flat = picture.mean((0, 1)) + rng.uniform(-30, 30, 3)
    return flat + rng.uniform(0.02, 0.15) * (picture - flat) + rng.uniform(0, 8) * _grain(rng)


def _melted(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Only soft clouds of its colours left, and here and there a shred of it."""
    soft = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(rng.uniform(12, 30))), np.float32)
    soft = soft.mean((0, 1)) + rng.uniform(0.3, 1.2) * (soft - soft.mean((0, 1)))
    left = np.repeat(np.repeat(rng.random((SIZE // TILE,) * 2) < rng.uniform(0, 0.12), TILE, 0), TILE, 1)
    return np.where(left[..., None], picture, soft) + rng.uniform(0, 12) * _grain(rng)


def _grain(rng: np.random.Generator) -> np.ndarray:
    """Unit noise in square cells of 1 to 8 pixels."""
    cell = int(rng.choice((1, 2, 4, 8)))
    return rng.standard_normal((SIZE // cell, SIZE // cell, 3)).repeat(cell, 0).repeat(cell, 1)


WRECKS = (_shuffled, _drowned, _saturated, _noise, _faded, _melted)
"""The ways of wrecking a picture, equally likely."""
