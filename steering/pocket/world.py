"""The little world that the pocket model is trained on: drawings of things in painted places.

A scene is none to three things in one of six places, plain or in one of three styles. Everything is
drawn here from the pictures of `kinds` and a random generator, so a picture is reproducible from
``(seed, index)`` alone and no photograph, painting or data set is involved.

A few (kind, background, style) combinations are never drawn for training (`HELD_OUT`): a model
that draws them anyway composes, it does not recall.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..errors import SteeringError
from . import captions
from .backgrounds import PLACES, SIZE, paint
from .kinds import KINDS, picture
from .styles import STYLES

OBJECTS = tuple(KINDS)
BACKGROUNDS = tuple(PLACES)
LOOKS = ("plain", *STYLES)
"""No style, and every style."""

HELD_OUT = frozenset(
    (name, BACKGROUNDS[(i + shift) % len(BACKGROUNDS)], style)
    for i, name in enumerate(OBJECTS)
    for shift, style in ((0, "van_gogh"), (2, "plain"), (4, "sketch"), (5, "watercolour"))
)
"""The (kind, background, style) triples that training never shows: 56 of 336."""

COUNTS = (0.08, 0.52, 0.34, 0.06)
"""Shares of the scenes with none, one, two and three things."""
STYLED = (0.67, 0.13, 0.10, 0.10)
"""Shares of `LOOKS`."""
SMALL = 0.2
"""Share of the single things that are drawn, and called, small."""


@dataclass(frozen=True)
class Scene:
    """What a picture shows. Things stand from left to right in their order; a single one may be small."""

    objects: tuple[str, ...]
    background: str
    style: str = "plain"
    small: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.objects if name not in KINDS]
        if unknown or len(self.objects) > 3:
            raise SteeringError(f"objects {self.objects} must be at most three of {', '.join(OBJECTS)}")
        if self.background not in PLACES:
            raise SteeringError(f"background {self.background!r} is not one of {', '.join(BACKGROUNDS)}")
        if self.style not in LOOKS:
            raise SteeringError(f"style {self.style!r} is not one of {', '.join(LOOKS)}")
        if self.small and len(self.objects) != 1:
            raise SteeringError(f"small is for a single thing, not for {len(self.objects)}")

    @property
    def held_out(self) -> bool:
        """Whether any of its things meets this background and style in `HELD_OUT`."""
        return any((name, self.background, self.style) in HELD_OUT for name in self.objects)


def sample(rng: np.random.Generator, held_out: bool = False, holding: str = "") -> Scene:
    """A random scene, with the shares of `COUNTS`, `STYLED` and `SMALL`.

    ``held_out`` asks for a scene with a combination that training never shows, instead of one without; ``holding``
    for one that holds a kind.
    """
    while True:
        count = rng.choice(len(COUNTS), p=COUNTS)
        scene = Scene(
            objects=tuple(str(name) for name in rng.choice(OBJECTS, size=count, replace=False)),
            background=str(rng.choice(BACKGROUNDS)),
            style=str(rng.choice(LOOKS, p=STYLED)),
            small=bool(count == 1 and rng.random() < SMALL),
        )
        if scene.held_out == held_out and (not holding or holding in scene.objects):
            return scene


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One of the captions that fit the scene, drawn by ``rng``."""
    texts = [text for which in captions.TRAINED for text in captions.CAPTIONS[scene.style][which]]
    nouns = captions.nouns_of(scene.objects, scene.small, rng)
    return captions.sentence(str(rng.choice(texts)), nouns, scene.background, str(rng.choice(captions.JOINTS)))


@dataclass(frozen=True)
class Placed:
    """A drawing and where it stands: centre and longer side in pixels, angle in degrees."""

    drawing: Image.Image
    x: float
    y: float
    side: float
    angle: float


def places(scene: Scene, rng: np.random.Generator, variety: float = 1.0, unseen: bool = False) -> list[Placed]:
    """Each thing of the scene with its drawing and its place, from left to right.

    Half of the drawings are mirrored. ``variety`` scales how far sizes, places and angles vary;
    ``unseen`` takes the drawings that training never shows.
    """
    count = len(scene.objects)
    middles, side, spread = {
        0: ((), 0.0, 0.0),
        1: ((0.5,), 0.42 if scene.small else 0.66, 0.10 if scene.small else 0.06),
        2: ((0.26, 0.74), 0.45, 0.02),
        3: ((0.18, 0.5, 0.82), 0.32, 0.01),
    }[count]
    placed = []
    for name, middle in zip(scene.objects, middles, strict=True):
        drawings = KINDS[name].unseen if unseen else KINDS[name].drawings
        drawing = picture(name, drawings[rng.integers(len(drawings))])
        if rng.random() < 0.5:
            drawing = drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        x, y, longer = np.array((middle, 0.55, side)) + variety * rng.uniform(-1, 1, 3) * (spread, 0.04, 0.04)
        placed.append(Placed(drawing, SIZE * x, SIZE * y, SIZE * longer, 4 * variety * rng.uniform(-1, 1)))
    return placed


def paste(picture: np.ndarray, thing: Placed) -> None:
    """Draw a thing into a picture, in place."""
    scale = thing.side / max(thing.drawing.size)
    # One affine transform places, scales and turns at once, on the drawing's own box only.
    half = int(thing.side * 0.6) + 2
    left, top = int(thing.x) - half, int(thing.y) - half
    angle = np.deg2rad(thing.angle)
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    matrix = np.array([[cos, sin], [-sin, cos]])
    offset = np.array(thing.drawing.size) / 2 - matrix @ np.array([thing.x - left, thing.y - top])
    moved = thing.drawing.transform(
        (2 * half, 2 * half),
        Image.Transform.AFFINE,
        (*matrix[0], offset[0], *matrix[1], offset[1]),
        resample=Image.Resampling.BILINEAR,
    )
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + 2 * half, SIZE), min(top + 2 * half, SIZE)
    patch = np.asarray(moved, np.float32)[y0 - top : y1 - top, x0 - left : x1 - left]
    alpha = patch[..., 3:] / 255
    picture[y0:y1, x0:x1] = patch[..., :3] * alpha + picture[y0:y1, x0:x1] * (1 - alpha)


def draw(
    scene: Scene, rng: np.random.Generator, variety: float = 1.0, touch: float = 1.0, unseen: bool = False
) -> np.ndarray:
    """The scene as a picture, ``uint8 [SIZE, SIZE, 3]``; see `places` for ``variety`` and ``unseen``.

    ``touch`` is the style's share in the picture, from 0 (none left) to 1.
    """
    canvas = paint(scene.background, rng)
    for thing in places(scene, rng, variety, unseen):
        paste(canvas, thing)
    if scene.style != "plain":
        canvas = touch * STYLES[scene.style](canvas, rng) + (1 - touch) * canvas
    return np.clip(canvas, 0, 255).astype(np.uint8)


def training_example(seed: int, index: int, held_out: bool = False) -> tuple[np.ndarray, str, Scene]:
    """Picture, caption and scene number ``index`` of the endless series ``seed``."""
    rng = np.random.default_rng((seed, index, int(held_out)))
    scene = sample(rng, held_out)
    return draw(scene, rng), caption(scene, rng), scene
