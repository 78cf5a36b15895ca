"""Scenes of the pocket world with something broken in them, drawn so that what is wrong is known.

A thing is shown in part (shreds of it, a piece cut off, a hole in it), half faded, smeared, melted at a place, in
pieces, or mixed with another thing: what an incomplete removal leaves. All of these are mixtures of the picture with
the thing and the one without, `without + m (with - without)`, or put another picture in the place of `with`. What
leaves a part may do so before or after a style is painted: a dog taken half out of a painting is no painting of half a
dog. A whole picture may be `mottled`: what a style leaves that was not quite taken out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from . import world
from .backgrounds import SIZE, clouds, paint
from .kinds import KINDS, picture
from .styles import STYLES, brushed, swirl
from .world import Placed, Scene

_Y, _X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)


@dataclass(frozen=True)
class Broken:
    """A picture with one broken thing.

    Attributes:
        picture: ``uint8 [SIZE, SIZE, 3]``.
        scene: what was asked for.
        thing: the kind that is broken.
        left: how much of the thing can still be told, 0 to 1.
        how: of `WAYS`.
        other: the kind that it is mixed with, where it is.
    """

    picture: np.ndarray
    scene: Scene
    thing: str
    left: float
    how: str
    other: str = ""


def shreds(rng: np.random.Generator, _thing: Placed) -> tuple[np.ndarray, float]:
    """A tenth to two thirds of it, in patches with soft edges."""
    left = rng.uniform(0.1, 0.65)
    field = clouds(rng, int(rng.integers(6, 14)), int(rng.integers(6, 14)))
    return np.clip((field - np.quantile(field, 1 - left)) * 8 + 0.5, 0, 1), left


def hole(rng: np.random.Generator, thing: Placed) -> tuple[np.ndarray, float]:
    """All but its middle, or another part of it of a quarter to four fifths of its side."""
    radius = thing.side * rng.uniform(0.13, 0.4)
    x, y = (centre + rng.uniform(-0.2, 0.2) * thing.side for centre in (thing.x, thing.y))
    uneven = 1 + 0.3 * clouds(rng, 6, 6)
    inside = np.clip((radius * uneven - np.hypot(_X - x, _Y - y)) / 3 + 0.5, 0, 1)
    return 1 - inside, 1 - np.pi * (radius / thing.side) ** 2


def cut(rng: np.random.Generator, thing: Placed) -> tuple[np.ndarray, float]:
    """One side of a line through it, with a soft or a hard edge."""
    angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(-0.32, 0.22)
    distance = np.cos(angle) * (_X - thing.x) + np.sin(angle) * (_Y - thing.y)
    return np.clip((distance - shift * thing.side) / rng.uniform(1, 8) + 0.5, 0, 1), 0.5 - shift


def faded(rng: np.random.Generator, _thing: Placed) -> tuple[np.ndarray, float]:
    """A ghost of it."""
    left = rng.uniform(0.15, 0.6)
    return np.full((SIZE, SIZE), left, np.float32), left


MASKS: dict[str, Callable[[np.random.Generator, Placed], tuple[np.ndarray, float]]] = {
    "shreds": shreds,
    "hole": hole,
    "cut": cut,
    "faded": faded,
}
"""Ways that leave a part of the thing -> (share of it that is seen at every pixel ``[SIZE, SIZE]``, share left)."""


def smeared(whole: np.ndarray, rng: np.random.Generator, thing: Placed) -> np.ndarray:
    """The picture with the surroundings of a thing blurred until it cannot be told."""
    near = np.clip(1.2 - np.hypot(_X - thing.x, _Y - thing.y) / (0.62 * thing.side), 0, 1)
    return _blurred_where(np.minimum(2 * near, 1), whole, thing.side * rng.uniform(0.07, 0.16))


def melted(whole: np.ndarray, rng: np.random.Generator, thing: Placed) -> np.ndarray:
    """The picture with a part of a thing, half of its side across or less, run into what is behind it."""
    angle, away = rng.uniform(0, 2 * np.pi), thing.side * rng.uniform(0.15, 0.45)
    distance = np.hypot(_X - thing.x - away * np.cos(angle), _Y - thing.y - away * np.sin(angle))
    near = np.clip((thing.side * rng.uniform(0.15, 0.28) - distance) / 5 + 0.5, 0, 1)
    return _blurred_where(near, whole, thing.side * rng.uniform(0.06, 0.14))


def _blurred_where(share: np.ndarray, picture: np.ndarray, radius: float) -> np.ndarray:
    """A picture blended with its blurred self by a share of every pixel ``[SIZE, SIZE]``."""
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(float(radius))), np.float32)
    return picture + share[..., None] * (blurred - picture)


def spotted(scene: Scene, rng: np.random.Generator, variety: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """A whole scene of at least one thing, and a spot on a thing's middle or edge that `augment.spoil` may redraw.

    Returns:
        The picture ``uint8 [SIZE, SIZE, 3]``; centre and radius of the spot in pixels ``[3]``.
    """
    canvas, placed = paint(scene.background, rng), world.places(scene, rng, variety)
    for thing in placed:
        world.paste(canvas, thing)
    thing, angle = placed[rng.integers(len(placed))], rng.uniform(0, 2 * np.pi)
    away, radius = thing.side * rng.uniform(0.1, 0.45), thing.side * rng.uniform(0.15, 0.33)
    spot = (thing.x + away * np.cos(angle), thing.y + away * np.sin(angle), radius)
    return _painted(canvas, scene.style, rng).astype(np.uint8), np.array(spot, np.float32)


def mottled(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture ``uint8 [SIZE, SIZE, 3]`` under soft blotches, or soft strokes that follow a swirling field."""
    strength, colour = rng.uniform(7, 22), 1 + rng.uniform(-0.5, 0.5, 3)
    if rng.random() < 0.5:
        bumps = rng.integers(6, 20, 2)
        marks = 2 * clouds(rng, int(bumps[0]), int(bumps[1]))[..., None]
    else:
        grain = 2 * clouds(rng, 26, 26)
        _, marks = brushed(picture, swirl(SIZE, rng), grain, range(-10, 11, 2), 0)
    where = np.clip(clouds(rng, 2, 2) * 3 + 1, 0, 1)[..., None] if rng.random() < 0.5 else 1.0
    return np.clip(picture + strength * where * marks * colour, 0, 255).astype(np.uint8)


def in_pieces(drawing: Image.Image, rng: np.random.Generator, side: int) -> Image.Image:
    """A drawing's ``side`` by ``side`` tiles in another order."""
    step = 120 // side
    square = drawing.resize((side * step, side * step))
    boxes = [(c * step, r * step, (c + 1) * step, (r + 1) * step) for r in range(side) for c in range(side)]
    mixed = Image.new("RGBA", square.size)
    for box, source in zip(boxes, rng.permutation(len(boxes)), strict=True):
        mixed.paste(square.crop(boxes[source]), box)
    return mixed


BLURRED = {"smeared": (smeared, 0.2), "melted": (melted, 0.8)}
"""Ways that blur a thing or a part of it -> (the picture, share left)."""

WAYS = (*MASKS, *BLURRED, "pieces", "mixed")
"""How a thing can be broken, equally likely."""


VISIBLE = 0.008
"""Least share of pixels by which a broken thing must differ from the whole one, and from none."""


def broken_scene(scene: Scene, rng: np.random.Generator, variety: float = 1.0) -> Broken:
    """A scene of at least one thing, one of whose things is broken in a random way, visibly."""
    while True:
        background, placed = paint(scene.background, rng), world.places(scene, rng, variety)
        which, how = int(rng.integers(len(placed))), str(rng.choice(WAYS))
        without = background.copy()
        for i, other in enumerate(placed):
            if i != which:
                world.paste(without, other)
        whole = without.copy()
        world.paste(whole, placed[which])
        other = str(rng.choice([name for name in KINDS if name not in scene.objects])) if how == "mixed" else ""
        late = how in (*MASKS, *BLURRED) and rng.random() < 0.5
        none, before = (_painted(canvas, scene.style, rng) for canvas in (without, whole))
        sides = (none, before) if late else (without, whole)
        broken, left = _break(how, sides, placed[which], other, rng)
        after = broken if late else _painted(broken, scene.style, rng)
        if min(_apart(after, before), _apart(after, none)) >= VISIBLE:
            return Broken(after.clip(0, 255).astype(np.uint8), scene, scene.objects[which], float(left), how, other)


def _break(
    how: str, sides: tuple[np.ndarray, np.ndarray], thing: Placed, other: str, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """The picture with the thing broken, from those without it and with it, and the share of it that is left."""
    without, whole = sides
    if how in MASKS:
        mask, left = MASKS[how](rng, thing)
        return without + mask[..., None] * (whole - without), left
    if how in BLURRED:
        blur, left = BLURRED[how]
        return blur(whole, rng, thing), left
    if how == "pieces":
        return _with(without, replace(thing, drawing=in_pieces(thing.drawing, rng, int(rng.integers(3, 5))))), 0.1
    drawings = KINDS[other].drawings
    stranger = _with(without, replace(thing, drawing=picture(other, drawings[rng.integers(len(drawings))])))
    field = clouds(rng, int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    share = np.clip((field - np.median(field)) * rng.uniform(0.4, 6) + 0.5, 0.12, 0.88)[..., None]
    return share * whole + (1 - share) * stranger, 0.5


def _with(canvas: np.ndarray, thing: Placed) -> np.ndarray:
    made = canvas.copy()
    world.paste(made, thing)
    return made


def _painted(canvas: np.ndarray, style: str, rng: np.random.Generator) -> np.ndarray:
    """The picture in a style; the same strokes for the same state of ``rng``, which stays as it is."""
    painted = canvas if style == "plain" else STYLES[style](canvas, copy.deepcopy(rng))
    return np.clip(painted, 0, 255).astype(np.float32)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """Share of pixels that differ by more than 25 grey levels."""
    return float((np.abs(one - other).max(-1) > 25).mean())
