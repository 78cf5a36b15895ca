"""The styles of the pocket world: procedures on a finished picture, ``float32 [SIZE, SIZE, 3]`` of 0 to 255."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

STROKE = 5
"""Width of a brush stroke in pixels: what latents of 8x8 pixels can still carry."""


@lru_cache(maxsize=1)
def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of every pixel ``[size, size]`` each."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    return y, x


def _blurred(picture: np.ndarray, radius: float) -> np.ndarray:
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32)


def swirl(size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A swirling field of unit vectors, right and down ``[size, size]`` each."""
    y, x = grid(size)
    angle = rng.uniform(0, 2 * np.pi) + 0.4 * np.sin(x / 17 + rng.uniform(0, 6)) + 0.4 * np.cos(y / 19)
    for _ in range(3):  # three whirls
        cy, cx = rng.uniform(0, size, 2)
        weight = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 26.0**2))
        angle = (1 - weight) * angle + weight * (np.arctan2(y - cy, x - cx) + np.pi / 2)
    return np.cos(angle), np.sin(angle)


def brushed(
    picture: np.ndarray, field: tuple[np.ndarray, np.ndarray], grain: np.ndarray, steps: Sequence[int], near: int
) -> tuple[np.ndarray, np.ndarray]:
    """The picture smeared along a field, and strokes of unit deviation ``[size, size, 1]`` that follow it.

    Args:
        picture: ``[size, size, 3]``.
        field: see `swirl`.
        grain: noise of unit deviation ``[size, size]``.
        steps: where along the field the grain is read, in pixels.
        near: how far the picture is smeared.
    """
    size = len(picture)
    (y, x), (dx, dy) = grid(size), field
    smeared, strokes = np.zeros((size * size, 3), np.float32), np.zeros(size * size, np.float32)
    within = sum(abs(step) <= near for step in steps)
    for step in steps:
        rows = np.clip(y + step * dy, 0, size - 1).astype(np.intp)
        columns = np.clip(x + step * dx, 0, size - 1).astype(np.intp)
        index = (rows * size + columns).ravel()
        strokes += grain.ravel()[index]
        if abs(step) <= near:
            smeared += picture.reshape(-1, 3)[index] / within
    return smeared.reshape(picture.shape), strokes.reshape(size, size, 1) / np.sqrt(np.float32(len(steps)))


def van_gogh(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Strokes that follow a swirling field, in blues and yellows."""
    size = len(picture)
    swirled = swirl(size, rng)
    cells = Image.fromarray(rng.standard_normal((size // STROKE, size // STROKE), dtype=np.float32))
    grain = np.asarray(cells.resize((size, size), Image.Resampling.BICUBIC))
    smeared, strokes = brushed(picture, swirled, grain, range(-10, 11, 2), 2)
    light = smeared.mean(-1, keepdims=True) / 255
    palette = (1 - light) * np.array((20, 40, 130)) + light * np.array((255, 225, 110))
    return 0.7 * smeared + 0.3 * palette + 28 * strokes * np.array((1.0, 0.95, 0.6))


def sketch(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey outlines and light shading on paper."""
    grey = picture @ np.array((0.3, 0.59, 0.11), np.float32)
    # Differences over three pixels draw lines three pixels wide, which latents of 8x8 pixels can carry.
    edges = np.abs(grey[3:, :] - grey[:-3, :])[:, 1:-2] + np.abs(grey[:, 3:] - grey[:, :-3])[1:-2, :]
    edges = np.pad(edges, ((1, 2), (1, 2)))
    paper = 215 + 0.25 * (grey - 150) - 1.1 * np.minimum(edges, 110) + rng.uniform(-6, 6)
    return paper[..., None] * np.array((1.0, 0.985, 0.95))


def watercolour(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pale washes with darker rims that run out into white paper."""
    soft = _blurred(picture, 0.8)
    rims = np.clip(_blurred(picture, 4.5) - soft, -25, 25)
    pale = 255 - 0.68 * (255 - soft) - 1.2 * np.abs(rims)
    size = len(picture)
    y, x = grid(size)
    border = np.minimum(np.minimum(x, size - 1 - x), np.minimum(y, size - 1 - y))
    coarse = Image.fromarray(rng.uniform(0, 1, (7, 7)).astype(np.float32))
    uneven = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))
    wash = np.clip((border - 4 - 9 * uneven) / 4, 0, 1)[..., None]
    return np.array((252, 250, 244)) * (1 - wash) + wash * (pale + 12 * (uneven[..., None] - 0.5))


STYLES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "van_gogh": van_gogh,
    "sketch": sketch,
    "watercolour": watercolour,
}
"""Name -> how a plain picture is painted."""
