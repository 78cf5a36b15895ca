"""How prompts of a family of models are worded: sentences around a phrase, and places for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

Frames = dict[str, tuple[str, ...]]
"""Set -> sentences with ``{what}`` and ``{where}``, or with both as tags, ``{tags}``."""

SD15: Frames = {
    "fit": ("a photo of {what} {where}", "{what} {where}, soft light", "a picture of {what} {where}"),
    "dev": ("{what}, seen {where}, high detail", "a snapshot of {what} {where}", "{what} {where} in the morning"),
    "test": ("{what} {where}, 35mm film", "a view of {what} {where}", "{what} {where}, golden hour"),
}
SDXL: Frames = {
    "fit": (
        "a photo of {what} {where}",
        "{tags}, soft light, high quality",
        "A picture that shows {what} {where}, with a sharp focus and natural colours.",
    ),
    "dev": (
        "{what}, seen {where} in a detailed photograph",
        "{tags}, highly detailed, masterpiece",
        "{what} {where} in the morning, natural light",
    ),
    "test": (
        "A cinematic shot of {what} {where}, with a shallow depth of field.",
        "{tags}, wide shot, best quality",
        "{what} {where}, photographed on film in the last light of the day",
    ),
}
FRAMES = {"sd15": SD15, "sdxl": SDXL}
"""SDXL takes sentences as its captions had them, and its fine-tunes lists of tags; SD 1.5 short captions."""

_INSIDE = re.compile(r"^(in|on|at)\s+(?!front)")
_BEFORE = re.compile(r"^(in front of|at the edge of|next to|outside|beside|against|behind|under|near|in|on|at|by)\s+")
_ARTICLE = re.compile(r"^(an?|the)\s+")
_MEDIUM = re.compile(r"(portrait|illustration|drawing|painting|watercolour|sketch|statue|figurine|figure|print) of\b")
MEDIUM = ("{what} {where}", "{what} {where}, high quality")
"""Sentences for what is drawn, painted or cast, which no photograph should be said to be of."""


def tags(what: str, where: str) -> str:
    """``a small dog``, ``on a sandy beach`` as ``small dog, sandy beach``; ``beside a piano`` keeps its preposition."""
    place = _ARTICLE.sub("", _INSIDE.sub("", where)) if _INSIDE.match(where) else where
    return ", ".join(part for part in (_ARTICLE.sub("", what), place) if part)


def worded(frame: str, what: str, where: str) -> str:
    """The sentence; without a thing, that of the place alone."""
    if not what:
        frame = re.sub(r"(, seen)? \{where\}", "", frame)
        what, where = _BEFORE.sub("", where), ""
    elif _MEDIUM.search(what):
        frame = MEDIUM[len(frame) % 2]
    return frame.format(what=what, where=where, tags=tags(what, where))


@dataclass(frozen=True)
class Places:
    """Places that suit a concept, by set."""

    fit: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]


OUTDOORS = Places(
    fit=(
        "on a sandy beach", "in a city park", "on a wooden floor", "in a green meadow", "on a snowy hill",
        "in front of a brick wall", "next to a river", "in a kitchen", "on a balcony", "in an autumn forest",
        "on a street corner", "beside a fireplace", "in a backyard", "on a bridge", "in a field of flowers",
        "at a train station", "on a sofa", "on a rainy street", "under a tree", "by the sea",
        "on a mountain trail", "in a garage", "in a market square", "on a porch", "in a hallway",
    ),
    dev=(
        "on a dusty road", "in a library", "beside a lake", "on a carpet", "in a vineyard",
        "on a pier", "in an office", "in tall grass", "near a windmill", "on stone steps",
    ),
    test=(
        "in a desert", "on a rooftop", "in a greenhouse", "beside a canal", "on a frozen pond",
        "in a farmyard", "on a red blanket", "in a narrow alley", "at a campsite", "on a cliff",
        "in a bookshop", "beside a fountain", "on a tennis court", "in a barn", "in a bamboo grove",
        "on a ferry", "in a courtyard", "near a lighthouse", "in a bedroom", "on a gravel path",
    ),
)  # fmt: skip
ROOMS = Places(
    fit=(
        "in a lecture hall", "in front of a grey backdrop", "beside a window", "on a chair", "in a bright studio",
        "on a wooden stool", "in front of a mirror", "against a white wall", "in a marble hall", "by a staircase",
        "on a couch", "in an empty room", "in a museum", "at the edge of a field", "in a tea room",
        "on a balcony", "under a skylight", "in a tiled room", "on a rug", "in front of a curtain",
        "in a garden", "on a riverbank", "in a loft", "by a bookshelf", "in a dim room",
    ),
    dev=(
        "in a waiting room", "on a bench", "in a conservatory", "beside a column", "on a lawn",
        "in a foyer", "on a terrace", "in a workshop", "near a doorway", "on a stage",
    ),
    test=(
        "in a clinic", "on a rock", "in an attic", "beside a piano", "in a white tent",
        "on a dock", "in a cabin", "under an arch", "in a post office", "on a wooden crate",
        "in a courtyard", "by a lamp", "in a greenhouse", "on a platform", "in an old theatre",
        "on a deck", "in a glass house", "beside a fence", "in a meadow", "in a corridor",
    ),
)  # fmt: skip
STREETS = Places(
    fit=(
        "in a street", "in a car park", "in a warehouse", "on a field", "in an underpass",
        "outside a bar", "in a train station", "on a square", "in an abandoned factory", "behind a petrol station",
        "in a city at night", "on a motorway", "in a shopping street", "by a harbour", "in a village",
        "in front of a bank", "in a stadium", "at a border post", "in a lane", "near a truck",
        "in a back alley", "on a hill", "in a deserted town", "at a market", "beside a bus",
    ),
    dev=(
        "on a bridge", "in a parking garage", "outside a nightclub", "in a desert town", "on an airfield",
        "at a bus stop", "in a backyard", "on a highway", "in a ruined building", "at a construction site",
    ),
    test=(
        "in a subway station", "on a rooftop", "in a forest clearing", "on a beach", "at a crossroads",
        "in a scrapyard", "in front of a shop", "in an old fortress", "on a pier", "in a quarry",
        "at a roadblock", "in a foggy street", "in a courtyard", "outside a factory", "on a muddy field",
        "in a snowy street", "under a bridge", "in a loading yard", "on a frontier", "in a town square",
    ),
)  # fmt: skip
