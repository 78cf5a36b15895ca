"""The places of the pocket world, each painted with a horizon of its own and some texture.

Every painter takes the random generator and gives ``float32 [SIZE, SIZE, 3]`` of 0 to 255. Texture is
coarse enough (four pixels and more) for latents of 8x8 pixels to carry it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

SIZE = 128
"""Width and height of a picture in pixels."""

_Y, _X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
Colour = tuple[float, float, float]


def clouds(rng: np.random.Generator, across: int, down: int) -> np.ndarray:
    """Smooth noise ``[SIZE, SIZE]`` in about -1 to 1, with ``across`` by ``down`` bumps."""
    coarse = Image.fromarray(rng.uniform(-1, 1, (down + 1, across + 1)).astype(np.float32))
    return np.asarray(coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def _ramp(top: Colour, bottom: Colour) -> np.ndarray:
    share = (_Y / SIZE)[..., None]
    return (1 - share) * np.array(top, np.float32) + share * np.array(bottom, np.float32)


def _horizon(rng: np.random.Generator, height: float, swing: float) -> np.ndarray:
    """A wavy line: rows ``[SIZE]`` at a share ``height`` of the picture from the top."""
    x = _X[0] / SIZE
    wave = swing * np.sin(2 * np.pi * (rng.uniform(0.5, 1.1) * x + rng.uniform()))
    return SIZE * (height + rng.uniform(-0.04, 0.04) + wave)


def _below(line: np.ndarray) -> np.ndarray:
    """Share of every pixel that lies below a line, soft over two pixels ``[SIZE, SIZE, 1]``."""
    return np.clip((_Y - line) / 2 + 0.5, 0, 1)[..., None]


def _over(under: np.ndarray, share: np.ndarray, over: np.ndarray) -> np.ndarray:
    return under + share * (over - under)


def meadow(rng: np.random.Generator) -> np.ndarray:
    """Blue sky with soft clouds over tufted grass."""
    white = np.clip(clouds(rng, 3, 6) - 0.25, 0, 1)[..., None] * (_Y < 0.5 * SIZE)[..., None]
    sky = _over(_ramp((115, 180, 245), (215, 238, 255)), white, np.full(3, 255, np.float32))
    grass = _ramp((140, 215, 95), (70, 155, 50)) + 14 * clouds(rng, 30, 9)[..., None]
    return _over(sky, _below(_horizon(rng, 0.58, 0.03)), grass)


def beach(rng: np.random.Generator) -> np.ndarray:
    """Pale sky, a sea with waves, speckled sand."""
    sea = _ramp((30, 135, 185), (75, 200, 210)) + 22 * np.clip(clouds(rng, 5, 26), 0, 1)[..., None]
    sand = _ramp((245, 225, 165), (238, 205, 135)) + 9 * clouds(rng, 22, 22)[..., None]
    picture = _over(_ramp((165, 222, 250), (235, 248, 252)), _below(np.full(SIZE, SIZE * rng.uniform(0.38, 0.44))), sea)
    return _over(picture, _below(_horizon(rng, 0.67, 0.015)), sand)


def snow(rng: np.random.Generator) -> np.ndarray:
    """Grey sky with flakes over soft drifts."""
    picture = _over(
        _ramp((160, 175, 200), (215, 222, 235)),
        _below(_horizon(rng, 0.58, 0.03)),
        _ramp((252, 253, 255), (225, 233, 245)) + 7 * clouds(rng, 4, 12)[..., None],
    )
    return _dots(picture, rng, 14, SIZE * 0.55, (250, 252, 255))


def night(rng: np.random.Generator) -> np.ndarray:
    """Stars and a moon over dark hills."""
    sky = _dots(_ramp((22, 24, 80), (80, 72, 160)), rng, 12, SIZE * 0.5, (250, 240, 190))
    x, y, radius = rng.uniform(14, SIZE - 14), rng.uniform(12, 22), rng.uniform(8, 10)
    moon = np.clip(radius - np.hypot(_X - x, _Y - y) + 0.5, 0, 1)[..., None]
    hills = _ramp((50, 62, 88), (26, 34, 52)) + 5 * clouds(rng, 10, 14)[..., None]
    return _over(_over(sky, moon, np.array((250, 240, 200), np.float32)), _below(_horizon(rng, 0.66, 0.03)), hills)


def desert(rng: np.random.Generator) -> np.ndarray:
    """An orange sky over two rows of rippled dunes."""
    far = _ramp((232, 165, 100), (205, 125, 65))
    near = _ramp((222, 145, 80), (170, 95, 45)) + 10 * clouds(rng, 4, 24)[..., None]
    picture = _over(_ramp((250, 160, 85), (255, 228, 170)), _below(_horizon(rng, 0.52, 0.04)), far)
    return _over(picture, _below(_horizon(rng, 0.64, 0.03)), near)


def room(rng: np.random.Generator) -> np.ndarray:
    """A striped wall over floor boards."""
    stripes = (np.sin(2 * np.pi * (_X / 16 + rng.uniform())) > 0)[..., None]
    wall = _ramp((238, 200, 210), (226, 184, 198)) - 9 * stripes
    boards = (np.mod(_X + 0.5 * (_X - SIZE / 2) * (_Y / SIZE - 1) + SIZE * rng.uniform(), 20) < 3)[..., None]
    floor = _ramp((175, 120, 80), (135, 85, 52)) - 28 * boards
    return _over(wall, _below(np.full(SIZE, SIZE * rng.uniform(0.69, 0.75))), floor)


def _dots(picture: np.ndarray, rng: np.random.Generator, count: int, height: float, colour: Colour) -> np.ndarray:
    """Round dots of about four pixels above a height."""
    for x, y in zip(rng.uniform(3, SIZE - 3, count), rng.uniform(3, height, count), strict=True):
        rows, columns = slice(int(y) - 2, int(y) + 4), slice(int(x) - 2, int(x) + 4)
        share = np.clip(2.2 - np.hypot(_X[rows, columns] - x, _Y[rows, columns] - y), 0, 1)[..., None]
        picture[rows, columns] += share * (np.array(colour, np.float32) - picture[rows, columns])
    return picture


PLACES: dict[str, tuple[str, Callable[[np.random.Generator], np.ndarray]]] = {
    "meadow": ("in the meadow", meadow),
    "beach": ("on the beach", beach),
    "snow": ("in the snow", snow),
    "night": ("at night", night),
    "desert": ("in the desert", desert),
    "room": ("in a room", room),
}
"""Background name -> the words that stand for it in a caption, and its painter."""


def paint(name: str, rng: np.random.Generator) -> np.ndarray:
    """A background with its colours shifted a little, ``float32 [SIZE, SIZE, 3]``."""
    return PLACES[name][1](rng) + rng.uniform(-9, 9, 3).astype(np.float32)
