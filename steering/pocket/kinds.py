"""The kinds of thing in the pocket world, what they are called, and the drawings of each.

The drawings are emoji of five sets under open licences, stored as pictures in ``drawings/`` with the
licences beside them (`tools/drawings.py` renders them). The generator is trained on a kind's
``drawings``; its ``unseen`` ones are for asking whether an evaluator knows the kind, not the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).parent / "drawings"


@dataclass(frozen=True)
class Kind:
    """A kind of thing: its nouns, the usual one first, and its drawings as ``set/name``."""

    nouns: tuple[str, ...]
    drawings: tuple[str, ...]
    unseen: tuple[str, ...]


KINDS = {
    "dog": Kind(
        ("dog", "puppy", "hound"),
        ("noto/dog-face", "twemoji/dog-face", "fluent-emoji-flat/dog"),
        ("noto/dog", "fluent-emoji-flat/dog-face"),
    ),
    "cat": Kind(("cat", "kitten"), ("noto/cat-face", "twemoji/cat"), ("noto/cat",)),
    "rabbit": Kind(("rabbit", "bunny"), ("noto/rabbit-face", "twemoji/rabbit"), ("noto-v1/rabbit",)),
    "horse": Kind(("horse", "pony"), ("noto/horse-face", "twemoji/horse"), ("fluent-emoji-flat/horse",)),
    "frog": Kind(("frog", "toad"), ("noto/frog", "fluent-emoji-flat/frog"), ("twemoji/frog",)),
    "fish": Kind(("fish",), ("twemoji/fish", "noto/tropical-fish"), ("noto/fish",)),
    "knife": Kind(("knife", "blade"), ("noto/kitchen-knife", "twemoji/dagger"), ("noto-v1/kitchen-knife",)),
    "bomb": Kind(("bomb",), ("noto/bomb", "fluent-emoji-flat/bomb"), ("twemoji/bomb",)),
    "key": Kind(("key",), ("noto/key", "noto/old-key"), ("fluent-emoji-flat/old-key",)),
    "umbrella": Kind(("umbrella",), ("noto/umbrella", "fluent-emoji-flat/closed-umbrella"), ("twemoji/umbrella",)),
    "apple": Kind(("apple",), ("noto/red-apple", "fluent-emoji-flat/green-apple"), ("twemoji/red-apple",)),
    "house": Kind(("house", "home"), ("noto/house", "fluent-emoji-flat/house"), ("twemoji/house",)),
    "car": Kind(
        ("car", "automobile"),
        ("noto/automobile", "fluent-emoji-flat/sport-utility-vehicle"),
        ("twemoji/sport-utility-vehicle",),
    ),
    "tree": Kind(("tree",), ("noto/deciduous-tree", "noto/evergreen-tree"), ("fluent-emoji-flat/evergreen-tree",)),
}
"""Name -> the kind, animals first."""


@cache
def picture(kind: str, drawing: str) -> Image.Image:
    """A drawing of a kind, RGBA."""
    with Image.open(FOLDER / kind / f"{drawing.replace('/', '-')}.png") as image:
        return image.convert("RGBA")
