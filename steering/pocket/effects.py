"""What is done to a drawing of the embedded world: damage that the judge must know, and styles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image


def damaged(glyph: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A thing in pieces, in one of two ways."""
    return scrambled(glyph, rng) if rng.random() < 0.5 else shredded(glyph, rng)


def scrambled(glyph: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Sixteen tiles in another order."""
    side = 4
    square = glyph.resize((120, 120))
    step = 120 // side
    boxes = [(c * step, r * step, (c + 1) * step, (r + 1) * step) for r in range(side) for c in range(side)]
    mixed = Image.new("RGBA", square.size)
    for box, source in zip(boxes, rng.permutation(len(boxes)), strict=True):
        mixed.paste(square.crop(boxes[source]), box)
    return mixed


def shredded(glyph: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A tenth to a third of it, in patches with soft edges."""
    field = Image.fromarray(rng.random((7, 7), dtype=np.float32)).resize(glyph.size, Image.Resampling.BICUBIC)
    values = np.asarray(field)
    soft = np.clip((values - np.quantile(values, rng.uniform(0.67, 0.9))) * 12, 0, 1)
    pixels = np.asarray(glyph).copy()
    pixels[..., 3] = (pixels[..., 3] * soft).astype(np.uint8)
    return Image.fromarray(pixels)


@lru_cache(maxsize=1)
def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    return y, x


def as_van_gogh(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Strokes that follow a swirling field, in blues and yellows."""
    size = len(picture)
    y, x = _grid(size)
    angle = rng.uniform(0, 2 * np.pi) + 0.4 * np.sin(x / 17 + rng.uniform(0, 6)) + 0.4 * np.cos(y / 19)
    for _ in range(3):  # three whirls
        cy, cx = rng.uniform(0, size, 2)
        weight = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 26.0**2))
        angle = (1 - weight) * angle + weight * (np.arctan2(y - cy, x - cx) + np.pi / 2)
    dx, dy = np.cos(angle), np.sin(angle)
    cells = rng.standard_normal((size // 3 + 1, size // 3 + 1), dtype=np.float32)
    grain = np.repeat(np.repeat(cells, 3, 0), 3, 1)[:size, :size]
    steps = (-5, -3, -1, 1, 3, 5)
    smeared, strokes = np.zeros((size * size, 3), np.float32), np.zeros(size * size, np.float32)
    for step in steps:
        rows = np.clip(y + step * dy, 0, size - 1).astype(np.intp)
        columns = np.clip(x + step * dx, 0, size - 1).astype(np.intp)
        index = (rows * size + columns).ravel()
        strokes += grain.ravel()[index]
        if abs(step) == 1:
            smeared += picture.reshape(-1, 3)[index] / 2
    smeared = smeared.reshape(picture.shape)
    light = smeared.mean(-1, keepdims=True) / 255
    palette = (1 - light) * np.array((20, 40, 130)) + light * np.array((255, 225, 110))
    strokes = strokes.reshape(size, size, 1) / np.sqrt(np.float32(len(steps)))
    return 0.6 * smeared + 0.4 * palette + 15 * strokes * np.array((1.0, 0.95, 0.6))


def as_sketch(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey outlines and light shading on paper."""
    grey = picture @ np.array((0.3, 0.59, 0.11), np.float32)
    # Differences over three pixels draw lines three pixels wide, which the patch codec can carry.
    edges = np.abs(grey[3:, :] - grey[:-3, :])[:, 1:-2] + np.abs(grey[:, 3:] - grey[:, :-3])[1:-2, :]
    edges = np.pad(edges, ((1, 2), (1, 2)))
    paper = 215 + 0.25 * (grey - 150) - 1.1 * np.minimum(edges, 110) + rng.uniform(-6, 6)
    return paper[..., None] * np.array((1.0, 0.985, 0.95))
