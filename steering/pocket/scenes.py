"""The little world that the pocket model is trained on: emoji on painted backgrounds.

A scene is zero, one or two objects on one of six backgrounds, in one of three styles. Everything
is drawn by this file from twelve glyphs of Noto Color Emoji (SIL Open Font License 1.1, stored as
pictures in ``glyphs/``) and a random generator, so a picture is reproducible from
``(seed, index)`` alone and no photograph, painting or data set is involved.

A few (object, background, style) combinations are never drawn for training (`HELD_OUT`): a model
that draws them anyway composes, it does not recall.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import SteeringError
from . import captions
from .backgrounds import SIZE
from .captions import EMPTY, JOINTS, with_article
from .effects import as_van_gogh, damaged
from .styles import sketch
from .world import Placed, paste

OBJECTS = ("dog", "cat", "frog", "fish", "knife", "bomb", "key", "umbrella", "apple", "house", "car", "tree")
BACKGROUNDS = {
    "meadow": "in the meadow",
    "beach": "on the beach",
    "snow": "in the snow",
    "night": "at night",
    "desert": "in the desert",
    "room": "in a room",
}
"""Background name -> the words that stand for it in a caption."""

STYLES = ("plain", "van_gogh", "sketch")

HELD_OUT = frozenset(
    (name, tuple(BACKGROUNDS)[(i + shift) % len(BACKGROUNDS)], style)
    for i, name in enumerate(OBJECTS)
    for shift, style in ((0, "van_gogh"), (2, "plain"), (4, "sketch"))
)
"""The (object, background, style) triples that training never shows: 36 of 216."""

CAPTIONS = {style: {which: captions.CAPTIONS[style][which] for which in captions.TRAINED} for style in STYLES}
"""Sentences per style and per set of prompts: fit, dev and test prompts share none. Training knows all."""


@dataclass(frozen=True)
class Scene:
    """What a picture shows. The first object stands on the left of the second."""

    objects: tuple[str, ...]
    background: str
    style: str = "plain"

    def __post_init__(self) -> None:
        unknown = [name for name in self.objects if name not in OBJECTS]
        if unknown or len(self.objects) > 2:
            raise SteeringError(f"objects {self.objects} must be at most two of {', '.join(OBJECTS)}")
        if self.background not in BACKGROUNDS:
            raise SteeringError(f"background {self.background!r} is not one of {', '.join(BACKGROUNDS)}")
        if self.style not in STYLES:
            raise SteeringError(f"style {self.style!r} is not one of {', '.join(STYLES)}")

    @property
    def held_out(self) -> bool:
        """Whether any of its objects meets this background and style in `HELD_OUT`."""
        return any((name, self.background, self.style) in HELD_OUT for name in self.objects)


def sentence(scene: Scene, template: str, joint: str = JOINTS[0]) -> str:
    """The caption of a scene in the words of a template."""
    names = [with_article(name) for name in scene.objects]
    what = joint.format(*names) if len(names) == 2 else names[0] if names else EMPTY
    return template.format(what=what, where=BACKGROUNDS[scene.background])


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One of the captions that fit the scene, drawn by ``rng``."""
    joint = str(rng.choice(JOINTS)) if len(scene.objects) == 2 else JOINTS[0]
    return sentence(scene, str(rng.choice(sum(CAPTIONS[scene.style].values(), ()))), joint)


def caption_words() -> list[str]:
    """Texts that together hold every word a caption can hold, in any position."""
    nouns = " ".join(with_article(name) for name in OBJECTS)
    templates = [text for sets in CAPTIONS.values() for texts in sets.values() for text in texts]
    filled = [text.format(what="", where="") for text in templates]
    return [*filled, *BACKGROUNDS.values(), EMPTY, *(joint.format("", "") for joint in JOINTS), nouns, ""]


def sample(rng: np.random.Generator, held_out: bool = False) -> Scene:
    """A random scene: 10 % empty, 35 % one object, 55 % two; 65 % plain, 20 % Van Gogh, 15 % sketch.

    ``held_out`` asks for a scene with a combination that training never shows, instead of one without.
    """
    while True:
        count = rng.choice(3, p=(0.1, 0.35, 0.55))
        scene = Scene(
            objects=tuple(str(name) for name in rng.choice(OBJECTS, size=count, replace=False)),
            background=str(rng.choice(tuple(BACKGROUNDS))),
            style=str(rng.choice(STYLES, p=(0.65, 0.2, 0.15))),
        )
        if scene.held_out == held_out:
            return scene


def draw(
    scene: Scene, rng: np.random.Generator, broken: tuple[str, ...] = (), variety: float = 1.0, touch: float = 1.0
) -> np.ndarray:
    """The scene as a picture, ``uint8 [SIZE, SIZE, 3]``; sizes, places and colours vary with ``rng``.

    Objects named in ``broken`` are drawn with their tiles shuffled, or with few shreds left of them:
    their colours without their shape. ``variety`` scales how far sizes, places and angles vary;
    ``touch`` is the style's share in the picture, from 0 (none left) to 1.
    """
    picture = _background(scene.background, rng)
    for name, box in zip(scene.objects, _places(len(scene.objects), rng, variety), strict=True):
        glyph = damaged(_glyph(name), rng) if name in broken else _glyph(name)
        paste(picture, Placed(glyph, *box, 4 * variety * rng.uniform(-1, 1)))
    if scene.style != "plain":
        paint = as_van_gogh if scene.style == "van_gogh" else sketch
        picture = touch * paint(picture, rng) + (1 - touch) * picture
    return np.clip(picture, 0, 255).astype(np.uint8)


def training_example(seed: int, index: int, held_out: bool = False) -> tuple[np.ndarray, str, Scene]:
    """Picture, caption and scene number ``index`` of the endless series ``seed``."""
    rng = np.random.default_rng((seed, index, int(held_out)))
    scene = sample(rng, held_out)
    return draw(scene, rng), caption(scene, rng), scene


# --- how things are drawn ------------------------------------------------------------------------

_BANDS = {
    # (share of the height where the band starts, colour at its top, colour at its bottom)
    "meadow": ((0.0, (120, 185, 245), (190, 225, 250)), (0.58, (110, 190, 80), (70, 150, 50))),
    "beach": (
        (0.0, (170, 225, 250), (225, 245, 250)),
        (0.42, (40, 150, 190), (80, 195, 205)),
        (0.66, (245, 220, 150), (230, 195, 120)),
    ),
    "snow": ((0.0, (175, 190, 210), (215, 222, 232)), (0.58, (245, 248, 252), (225, 232, 245))),
    "night": ((0.0, (30, 30, 95), (75, 65, 150)), (0.66, (45, 60, 75), (30, 40, 60))),
    "desert": ((0.0, (250, 165, 90), (255, 215, 150)), (0.56, (205, 130, 70), (175, 100, 50))),
    "room": ((0.0, (235, 195, 205), (225, 180, 195)), (0.72, (160, 105, 70), (130, 80, 50))),
}


def _background(name: str, rng: np.random.Generator) -> np.ndarray:
    rows = np.arange(SIZE) / SIZE
    picture = np.empty((SIZE, SIZE, 3), np.float32)
    bands = _BANDS[name]
    shift = rng.uniform(-0.05, 0.05)
    starts = [0.0] + [start + shift for start, *_ in bands[1:]] + [1.0]
    for (_, top, bottom), low, high in zip(bands, starts[:-1], starts[1:], strict=True):
        inside = (rows >= low) & (rows < high)
        mix = ((rows[inside] - low) / (high - low))[:, None]
        picture[inside] = ((1 - mix) * np.array(top) + mix * np.array(bottom))[:, None, :]
    picture += rng.uniform(-10, 10, 3)
    if name == "night":
        for x, y in zip(rng.integers(2, SIZE - 2, 14), rng.integers(2, SIZE // 2, 14), strict=True):
            picture[y : y + 2, x : x + 2] = (250, 245, 200)
    return picture


def _places(count: int, rng: np.random.Generator, variety: float) -> list[tuple[float, float, float]]:
    """(centre x, centre y, longer side) of each object in pixels, left to right."""
    middles, side, spread = ((0.5,), 0.66, 0.05) if count == 1 else ((0.26, 0.74), 0.45, 0.02)
    jitter = variety * rng.uniform(-1, 1, (count, 3)) * (spread, 0.04, 0.04)
    return [tuple(SIZE * (np.array((x, 0.55, side)) + moved)) for x, moved in zip(middles, jitter)]  # type: ignore[misc]  # noqa: B905


@cache
def _glyph(name: str) -> Image.Image:
    with Image.open(Path(__file__).parent / "glyphs" / f"{name}.png") as image:
        return image.convert("RGBA")
