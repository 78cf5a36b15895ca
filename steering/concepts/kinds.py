"""What a word may stand for, how that is written about, and which things are like it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from .english import with_article
from .meanings import called, covers
from .scenes import (
    Scene,
    apart,
    as_scene,
    bearing,
    follows_its_noun,
    shuffled,
    sort_of_style,
    styled,
    surrounded,
    things,
)
from .word_lists import ARTISTS, ATTRIBUTES, LOOKS, MEDIA, SCENES, THINGS, VERBS

LEAST_UNRELATED = 20
"""Fewest things that have nothing to do with a concept, half of them for the report."""
MOST_ALIKE = 6
"""Things alike on each side: those that fitting and choosing see, and those of the report."""


@dataclass(frozen=True)
class Alike:
    """Things like a concept.

    Attributes:
        seen: those that pairs and dev prompts hold.
        new: those of the test prompts.
        far: things that have nothing to do with it.
    """

    seen: tuple[str, ...]
    new: tuple[str, ...]
    far: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """How concepts of a kind are written about.

    Attributes:
        scenes: (word, split, random numbers) -> scenes, in random order.
        groups: lists of words that are alike.
        text: what CLIP is asked for.
        rubric: what a judge's scores 0, 25, 50, 75, 100 mean.
    """

    scenes: Callable[[str, str, Random], list[Scene]]
    groups: tuple[tuple[str, ...], ...]
    text: Callable[[str], str]
    rubric: tuple[str, str, str, str, str]


def _style_text(word: str) -> str:
    sort = sort_of_style(word)
    return (
        with_article(word) if sort == "medium" else f"in the style of {word}" if sort == "artist" else f"{word} style"
    )


KINDS: Mapping[str, Kind] = MappingProxyType({
    "object": Kind(things, tuple(THINGS.values()), with_article, (
        "nothing of {} and nothing like it", "something faintly like {}: a shape, a shadow, a toy",
        "something that could be {} as well as another thing", "{}, but malformed, partly hidden or far away",
        "clearly {}",
    )),
    "style": Kind(styled, (ARTISTS, MEDIA, LOOKS), _style_text, (
        "nothing of the style of {}", "a trace of it", "something between it and another style",
        "its style, but weak or in parts", "the style of {} all over",
    )),
    "attribute": Kind(bearing, tuple(ATTRIBUTES.values()), lambda word: f"something {word}", (
        "nothing that is {}", "a trace of it", "something that may be {}", "{}, but weakly or in parts",
        "clearly {}",
    )),
    "scene": Kind(surrounded, (SCENES,), lambda word: f"a picture {as_scene(word)}", (
        "nothing of it: {}", "a trace of it", "something that may be it", "weakly or in parts {}", "clearly {}",
    )),
})  # fmt: skip
"""What a word may stand for."""


def alike(word: str, kind: str, given: Sequence[str], random: Random) -> Alike:
    """Things like a concept: those given, else those that are known, and others that are nothing like it."""
    near = [other for other in _others(_near(word, kind, random), word) if other not in given]
    if given:
        middle = -(-len(given) // 2)
        seen, new = given[:middle], given[middle:] or near[:MOST_ALIKE]
    else:
        middle = min(MOST_ALIKE, len(near) // 2)
        seen, new = near[:middle], near[middle:][:MOST_ALIKE]
    far = _far(word, {word, *seen, *new})
    return Alike(tuple(seen), tuple(new), tuple(shuffled(far, random)))


def _far(word: str, taken: set[str]) -> list[str]:
    """Things of other kinds; of a word of no known kind, whose siblings are of all kinds, those that are not taken."""

    def left(groups: Sequence[tuple[str, ...]]) -> list[str]:
        return _others(apart([noun for group in groups for noun in group], " ".join(taken)), word)

    groups = [group for name, group in THINGS.items() if name != "weapons"]
    others = left([group for group in groups if not taken & set(group)])
    return others if len(others) >= LEAST_UNRELATED else left(groups)


def _others(things: Sequence[str], word: str) -> list[str]:
    """Those that do not name the concept, nor are it by another name or a kind of it."""
    return [thing for thing in apart(things, word) if not covers(word, thing)]


def _near(word: str, kind: str, random: Random) -> list[str]:
    """The others of a word's group, shuffled; one of each group where it is in none."""
    known = called(word)
    groups = [group for group in KINDS[kind].groups if group != THINGS["weapons"] or known in group]
    mine = [group for group in groups if known in group]
    if not mine and kind == "style":
        mine = [{"artist": ARTISTS, "medium": MEDIA, "look": LOOKS}[sort_of_style(word)]]
    if not mine and kind == "attribute" and (follows_its_noun(word) or word in VERBS):
        mine = [ATTRIBUTES["worn" if follows_its_noun(word) else "moods"]]
    if not mine and len(groups) > 1:
        left = [some for group in shuffled(groups, random) if (some := _others(group, word))]
        return [random.choice(group) for group in left]
    return [other for other in shuffled((mine or groups)[0], random) if other != word]
