"""Scenes: sentences with one thing left open, said with a concept, with something like it, or with nothing there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, product
from random import Random
from typing import TypeVar

from .checking import COMMON, words
from .english import article, countable, forms_of, two_of, with_article
from .meanings import holds
from .word_lists import (
    ATTRIBUTES,
    BEARERS,
    COMPANIONS,
    FRAMES,
    MEDIA,
    PLACES,
    SCENE_NAMES,
    SCENES,
    STYLED,
    SUBJECTS,
    VERBS,
)

Item = TypeVar("Item")

NOTHING = "a scene"
"""What a sentence is about where the concept is left out and nothing else is there."""


@dataclass(frozen=True)
class Scene:
    """A sentence with one thing left open.

    Attributes:
        say: the sentence with a word in the open place; None leaves nothing there.
        phrase: its wording, which scenes share.
    """

    say: Callable[[str | None], str]
    phrase: str


def shuffled(items: Sequence[Item], random: Random) -> list[Item]:
    """Items in a random order."""
    return random.sample(items, len(items))


def apart(texts: Sequence[str], word: str) -> list[str]:
    """The texts that hold no word of a concept's: a place, a wording or a companion must not name it."""
    own = {form for part in words(word) for form in forms_of(part)} - COMMON
    return [text for text in texts if not own & set(words(text)) and not holds(text, word)]


def things(word: str, split: str, random: Random) -> list[Scene]:
    """A thing at a place: of five sentences three with it alone, one in company, one with two of it.

    Where more are asked for than there are places, the rest are in company or with two of it.
    """
    places = shuffled(list(product(apart(FRAMES[split], word), apart(PLACES[split], word))), random)
    company = cycle(shuffled(apart(COMPANIONS[split], word), random))
    made = {}  # each once: a place may come to the same company again
    for turn, (i, (frame, place)) in product(range(5), enumerate(places)):
        two = (i + turn) % 5 == 4 and countable(word)
        beside = with_article(next(company)) if (i + turn) % 5 >= 3 and not two else ""
        if turn == 0 or two or beside:
            made[frame, place, beside, two] = Scene(partial(_thing, frame, place, beside, two), frame)
    return list(made.values())


def _thing(frame: str, place: str, beside: str, two: bool, what: str | None) -> str:
    said = "" if what is None else two_of(what) if two and countable(what) else with_article(what)
    return frame.format(f"{' and '.join(filter(None, (said, beside))) or NOTHING} {place}")


def styled(word: str, split: str, random: Random) -> list[Scene]:
    """A subject in a style; a photo or the like of it where the style is left out."""
    frames, plain = _styles(word, split), cycle(apart(FRAMES[split], word))
    every = shuffled(list(product(range(len(frames)), apart(SUBJECTS[split], word))), random)
    return [Scene(partial(_styled, split, i, next(plain), about), frames[i]) for i, about in every]


def _styles(word: str, split: str) -> tuple[str, ...]:
    return STYLED[sort_of_style(word)][split]


def _styled(split: str, i: int, plain: str, about: str, what: str | None) -> str:
    if what is None:
        return plain.format(about)
    frame = _styles(what, split)[i]
    # A medium is counted where it is a thing: "a watercolour of a river", but "a river in watercolour style".
    counted = sort_of_style(what) == "medium" and "{style} style" not in frame
    style = with_article(what) if counted else what
    return frame.format(about, style=style, article=article(what))


def sort_of_style(word: str) -> str:
    """How a style is told: a ``medium`` is known, an ``artist`` has a capital, anything else is a ``look``.

    A movement is a look, capital or not: Art Deco, Impressionism, Japanese art.
    """
    if word in MEDIA:
        return "medium"
    return "artist" if word[0].isupper() and not _MOVEMENT.search(word) else "look"


_MOVEMENT = re.compile(r"(?:\b(?:art|deco|nouveau|paintings?|style|bauhaus|dada|stijl)|ism)$", re.IGNORECASE)


def bearing(word: str, split: str, random: Random) -> list[Scene]:
    """A thing or a person that has an attribute, at a place."""
    of_people = word in (*ATTRIBUTES["moods"], *ATTRIBUTES["traits"], *VERBS) or follows_its_noun(word)
    nouns = apart(BEARERS["people" if of_people else "things"][split], word)
    every = shuffled(list(product(apart(FRAMES[split], word), nouns, apart(PLACES[split], word))), random)
    return [Scene(partial(_bearing, frame, noun, place), frame) for frame, noun, place in every]


def _bearing(frame: str, noun: str, place: str, what: str | None) -> str:
    after = what is not None and follows_its_noun(what)
    said = with_article(noun if what is None or after else f"{what} {noun}")
    return frame.format(f"{said} {what} {place}" if after else f"{said} {place}")


def follows_its_noun(attribute: str) -> bool:
    """Whether an attribute follows its noun: ``a woman wearing glasses``, but ``a smiling woman``."""
    return " " in attribute


def surrounded(word: str, split: str, random: Random) -> list[Scene]:
    """A subject in a scene, which names no scene itself."""
    taken = {said for scene in SCENES for said in words(scene)} - {"a", "in", "on"}
    subjects = [about for about in apart(SUBJECTS[split], word) if not taken & set(words(about))]
    every = shuffled(list(product(apart(FRAMES[split], word), subjects)), random)
    return [Scene(partial(_surrounded, frame, about), frame) for frame, about in every]


def _surrounded(frame: str, about: str, what: str | None) -> str:
    return frame.format(about if what is None else f"{about} {as_scene(what)}")


PREPOSITIONS = ("in", "on", "at", "under", "by", "near", "beside", "inside", "during")


def as_scene(word: str) -> str:
    """A scene as it ends a sentence: ``fog`` is ``in thick fog``, ``a cave`` is ``in a cave``."""
    if word.split()[0] in PREPOSITIONS or word in SCENE_NAMES.values():
        return word
    return _NAMED.get(word.lower()) or f"in {with_article(word)}"


_NAMED = {**{scene.split()[-1]: scene for scene in SCENES if scene != "under water"}, **SCENE_NAMES}
"""A word -> the scene that it names; water alone is a thing."""
