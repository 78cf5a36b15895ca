"""What is done to a drawing of the embedded world: damage that the judge must know, and styles."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .debris import in_pieces
from .styles import brushed, swirl


def damaged(glyph: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A thing in pieces, in one of two ways."""
    return scrambled(glyph, rng) if rng.random() < 0.5 else shredded(glyph, rng)


def scrambled(glyph: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Sixteen tiles in another order."""
    return in_pieces(glyph, rng, 4)


def shredded(glyph: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A tenth to a third of it, in patches with soft edges."""
    field = Image.fromarray(rng.random((7, 7), dtype=np.float32)).resize(glyph.size, Image.Resampling.BICUBIC)
    values = np.asarray(field)
    soft = np.clip((values - np.quantile(values, rng.uniform(0.67, 0.9))) * 12, 0, 1)
    pixels = np.asarray(glyph).copy()
    pixels[..., 3] = (pixels[..., 3] * soft).astype(np.uint8)
    return Image.fromarray(pixels)


def as_van_gogh(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Strokes that follow a swirling field, in blues and yellows."""
    size = len(picture)
    swirled = swirl(size, rng)
    cells = rng.standard_normal((size // 3 + 1, size // 3 + 1), dtype=np.float32)
    grain = np.repeat(np.repeat(cells, 3, 0), 3, 1)[:size, :size]
    smeared, strokes = brushed(picture, swirled, grain, range(-5, 6, 2), 1)
    light = smeared.mean(-1, keepdims=True) / 255
    palette = (1 - light) * np.array((20, 40, 130)) + light * np.array((255, 225, 110))
    return 0.6 * smeared + 0.4 * palette + 15 * strokes * np.array((1.0, 0.95, 0.6))
