"""What a set of prompts is asked for: a word, what it stands for, and things like it, in one plain form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType
from unicodedata import category

from ..checks import check_text, short
from ..errors import SteeringError
from .checking import COMMON, MINORS, words
from .english import DETERMINERS, forms_of
from .meanings import is_kind
from .prompts import LONGEST_NAME
from .scenes import PREPOSITIONS, as_scene
from .tables import CURLY
from .word_lists import (
    ARTISTS,
    ATTRIBUTES,
    BARE,
    BORNE,
    EXPLICIT,
    LOOKS,
    MEDIA,
    NOUNS,
    SCENE_NAMES,
    SCENES,
    SPELLINGS,
    THINGS,
    VERBS,
    WHOLE,
)

NOTHING_ALONE = (COMMON | {*PREPOSITIONS, "scene"}) - {"art"}
"""Words that name nothing without others: the last is what sentences say where nothing is left."""
KNOWN = MappingProxyType(
    {
        "style": (*ARTISTS, *MEDIA, *LOOKS),
        "attribute": tuple(word for group in ATTRIBUTES.values() for word in group),
        "scene": SCENES,
        "object": tuple(word for group in THINGS.values() for word in group),
    }
)
"""Kind -> the words that are known to be of it."""
_STYLE = re.compile(r"(?:^(?:in the )?style of | style$|^painted by |^art by |^(?:an? )?paintings? by )", re.IGNORECASE)
_MARKS = ".,:!?\"'`*_-"
"""What may stand around a word and says nothing."""
_SIGNS = "()[]{}<>|;:/\\"
_FOLLOW = DETERMINERS | {*PREPOSITIONS, "up", "down", "away", "back", "over", "through", "with", "into", "alone"}
"""What may follow a verb that takes no thing."""


@dataclass(frozen=True)
class Request:
    """What a set is to be about.

    Attributes:
        word: the concept in a word or a few.
        kind: a name of `KNOWN`, or ``auto``.
        siblings: things like it, which must stay; those known if empty.
        becomes: what is to stand in its place where it goes; nothing if empty.
    """

    word: str
    kind: str = "auto"
    siblings: tuple[str, ...] = ()
    becomes: str = ""


def kind_of(word: str) -> str:
    """The kind that a word is known as; an object where it is not."""
    for name, known in KNOWN.items():
        if word in known:
            return name
    if word.lower() in NOUNS:
        return "object"
    first, *rest = word.lower().split()
    if first == "with" or (first in VERBS and (not rest or first in BORNE or rest[0] in _FOLLOW)):
        return "attribute"
    if first in PREPOSITIONS or as_scene(word) in SCENES or word.lower() in SCENE_NAMES:
        return "scene"
    return "style" if words(word)[-1:] in (["painting"], ["art"]) else "object"


def checked(request: Request) -> Request:
    """The request in plain form, its kind guessed where it is ``auto``.

    Raises:
        SteeringError: a word or sibling that is none, is too long, or may not be written about by template; a sibling,
            or what is to take its place, that is the concept; what is to take it and is of another kind; an unknown
            kind.
    """
    if request.kind not in (*KNOWN, "auto"):
        raise SteeringError(f"kind {short(request.kind)} is not one of {', '.join(KNOWN)}, auto")
    word = plain(request.word)
    siblings = tuple(dict.fromkeys(plain(other) for other in request.siblings if other.strip()))
    becomes = plain(request.becomes) if request.becomes.strip().casefold() not in ("", "nothing") else ""
    for part in (f"{word} {becomes}", *siblings):
        _check_harmless(part)
    kind = request.kind
    if kind == "auto":
        kind = "style" if _STYLE.search(request.word.strip()) else kind_of(word)
    others = [name for name, known in KNOWN.items() if becomes in known]
    if others and kind not in others:
        raise SteeringError(
            f"{short(word)} is of kind {kind} and {short(becomes)} of kind {others[0]}, which no sentence says in its "
            f"place; let it become another {kind}, or name it in other words"
        )
    if kind == "scene":
        word, siblings, becomes = as_scene(word), tuple(map(as_scene, siblings)), becomes and as_scene(becomes)
    own = _own(word)
    for other in siblings:
        if own <= _own(other) or _own(other) <= own:
            raise SteeringError(
                f"{short(other)} is named among the siblings of {short(word)} and shares its words, which are to go; "
                "name others that must stay"
            )
        if is_kind(other, word):
            raise SteeringError(
                f"{short(other)} is named among the siblings of {short(word)}, and is it by another name or a kind of "
                "it; name others that must stay"
            )
    if becomes and (own & _own(becomes) or is_kind(becomes, word) or is_kind(word, becomes)):
        raise SteeringError(
            f"{short(word)} cannot become {short(becomes)}, which is the same in part; name something else"
        )
    return replace(request, word=word, kind=kind, siblings=siblings, becomes=becomes)


def plain(text: str) -> str:
    """A word as the lists write it: one space between its parts, without an article, known ones in their own case."""
    said = " ".join(text.translate(CURLY).split())
    check_text(said, "the word")
    said = re.sub(r"^(?:an?|the) ", "", _STYLE.sub("", said.strip(_MARKS + " ")), flags=re.IGNORECASE)
    if len(said) > LONGEST_NAME:
        raise SteeringError(f"{short(said)} is longer than {LONGEST_NAME} letters; a concept is a word or a few")
    if not set(words(said)) - DETERMINERS - NOTHING_ALONE:
        raise SteeringError(f"{short(text)} names nothing that can be written about; give a word or a few")
    odd = next((sign for sign in said if sign in _SIGNS or category(sign) in ("So", "Sm", "Sc", "Cs")), "")
    if odd:
        raise SteeringError(f"{short(text)} holds {odd!r}, which no sentence does; give a word or a few")
    painter = _as_listed(re.sub(r" paintings?$", "", said, flags=re.IGNORECASE))
    return painter if painter in ARTISTS else _as_listed(said)


def _as_listed(said: str) -> str:
    """A word by the name and in the letters that the lists have for it; as it is where they have none."""
    said = SPELLINGS.get(said.casefold(), said)
    return next((word for known in KNOWN.values() for word in known if word.casefold() == said.casefold()), said)


def begins(text: str, stems: Iterable[str]) -> bool:
    """Whether a word of a text begins with one of some stems, or is one that is meant whole."""
    return any(word == stem if stem in WHOLE else word.startswith(stem) for word in words(text) for stem in stems)


def _own(text: str) -> set[str]:
    """What tells a thing: its words, each as one thing."""
    return {min(forms_of(word), key=len) for word in words(text)} - COMMON - DETERMINERS


def _check_harmless(text: str) -> None:
    bare = begins(text, BARE) or "without clothes" in text.casefold()
    if MINORS & set(words(text)) and (bare or begins(text, EXPLICIT)):
        raise SteeringError(f"no set about {short(text)} is written: explicit pictures and minors do not go together")
    if bare:
        raise SteeringError(
            f"no set with {short(text)} is written by template: take the built-in concept nudity, whose prompts were "
            "written with care, or write a set of your own"
        )
