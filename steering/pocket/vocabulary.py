"""Concepts of the pocket world by the words that a user has for them."""

from __future__ import annotations

from dataclasses import replace

from ..checks import short
from ..errors import SteeringError
from .captions import with_article
from .concepts import CONCEPTS, THINGS, Concept
from .kinds import KINDS
from .world import OBJECTS

STYLES = {"van_gogh": "in the style of Van Gogh", "sketch": "as a pencil sketch", "watercolour": "as a watercolour"}
ANIMALS = ("dog", "cat", "rabbit", "horse", "frog", "fish")


def concept_of(word: str) -> Concept | None:
    """The concept that a word of the pocket's world stands for; None for other words."""
    said = word.strip().casefold().removeprefix("a ").removeprefix("an ").removesuffix(" style")
    name = next((name for name, kind in KINDS.items() if said in kind.nouns), said)
    name = next((style for style, text in STYLES.items() if said and f" {text.casefold()}".endswith(f" {said}")), name)
    known = next((concept for concept in CONCEPTS if concept.name == name), None)
    if known is not None:
        return known
    if name in STYLES:
        return _style(name)
    return _thing(name) if name in OBJECTS else None


def becoming(concept: Concept, word: str) -> Concept:
    """A concept in whose place another is to stand.

    Raises:
        SteeringError: a word of no thing or style, of a thing for a style or the other way round, or the concept's own.
    """
    other = concept_of(word)
    if (
        other is None
        or (concept.name in STYLES) != (other.name in STYLES)
        or len(other.judge) > 1
        or set(other.judge) & set(concept.judge)
    ):
        known = [name for name in (STYLES if concept.name in STYLES else OBJECTS) if name not in concept.judge]
        raise SteeringError(
            f"in words of the pocket model {concept.name} becomes one of {', '.join(known)}, not {short(word)}"
        )
    return replace(concept, becomes=other.name)


def known_words() -> list[str]:
    """Words that `concept_of` knows, one for each concept."""
    return [*OBJECTS, "Van Gogh", "pencil sketch", "watercolour", "violence"]


def _style(name: str) -> Concept:
    first, second = (style for style in STYLES if style != name)
    return replace(
        CONCEPTS[1],
        name=name,
        text=STYLES[name],
        judge=(name,),
        siblings=(first,),
        new_siblings=(second,),
        contrasts=("a photo", STYLES[first], STYLES[second]),
        rubric=("nothing of it", "a trace of it", "something between it and another style", "weak or partial", "clear"),
    )


def _thing(name: str) -> Concept:
    group = ANIMALS if name in ANIMALS else tuple(thing for thing in OBJECTS if thing not in ANIMALS)
    near = tuple(thing for thing in group if thing != name)
    return replace(
        CONCEPTS[0],
        name=name,
        text=with_article(name),
        judge=(name,),
        siblings=near[:2],
        new_siblings=near[2:4],
        unrelated=THINGS if name in ANIMALS else ("cat", "frog", "fish"),
        contrasts=(*map(with_article, near[:4]), "an empty scene"),
        rubric=("nothing of it", "a trace of it", "something that may be it", "malformed or hidden", f"clearly {name}"),
    )
