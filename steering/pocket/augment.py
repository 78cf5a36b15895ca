"""Damage for the judge's training pictures: what leaves a scene a scene, and what wrecks it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageFilter

from .architecture import WEIGHTS
from .codec import CHANNELS, PatchCodec
from .scenes import SIZE
from .tensors import to_tensor

TILE = 16


def swap_tiles(picture: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Permute a share of the picture's 16x16 tiles among themselves."""
    side = SIZE // TILE
    tiles = picture.reshape(side, TILE, side, TILE, 3).swapaxes(1, 2).reshape(-1, TILE, TILE, 3).copy()
    chosen = rng.permutation(len(tiles))[: max(2, round(share * len(tiles)))]
    tiles[chosen] = tiles[rng.permutation(chosen)]
    return tiles.reshape(side, side, TILE, TILE, 3).swapaxes(1, 2).reshape(SIZE, SIZE, 3)


@lru_cache(maxsize=1)
def _codec() -> PatchCodec:
    return PatchCodec.load(WEIGHTS / "vae" / "codec.safetensors")


def through_codec(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture from latents that are a little wrong: scaled, shifted as a whole, and noisy.

    That gives it the texture of the 8x8 patches, which a style must not be mistaken for.
    """
    latents = _codec().encode(to_tensor(picture[None]))
    shift = rng.standard_normal((1, CHANNELS, 1, 1)) * rng.uniform(0, 0.7)
    noise = rng.standard_normal(latents.shape) * rng.uniform(0, 0.4)
    wrong = latents * rng.uniform(0.8, 1.6) + torch.from_numpy(shift + noise)
    decoded = _codec().decode(wrong.float())[0].permute(1, 2, 0).numpy()
    return (255 * decoded).astype(np.uint8)


def soften(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mild damage of the kind a generator makes: patch texture, blur, noise, contrast, colour, swapped tiles."""
    if rng.random() < 0.4:
        picture = through_codec(picture, rng)
    if rng.random() < 0.5:
        blurred = Image.fromarray(picture).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2.2)))
        picture = np.asarray(blurred)
    if rng.random() < 0.15:
        picture = swap_tiles(picture, 0.05, rng)
    values = picture.astype(np.float32)
    if rng.random() < 0.5:
        values = (values - 128) * rng.uniform(0.7, 1.5) + 128 + rng.uniform(-20, 20, 3)
    if rng.random() < 0.5:
        coarse = rng.standard_normal((SIZE // 2, SIZE // 2, 3)).repeat(2, 0).repeat(2, 1)
        fine = rng.standard_normal((SIZE, SIZE, 3))
        values = values + rng.uniform(0, 22) * (coarse if rng.random() < 0.5 else fine)
    return np.clip(values, 0, 255).astype(np.uint8)


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
