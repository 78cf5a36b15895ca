"""What a concept's prompt set is made of, and the rows of its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from steering.pocket.concepts import SIZES

from .words import FRAMES, Places, worded

Rows = list[tuple[str, ...]]
Phrase = tuple[str, str]
"""(words, the one noun that a picture of them should show)."""
Target = tuple[str, str]
"""(words with the concept, what is left of them without it; nothing where that is the place alone)."""
Triple = tuple[str, str, str]
"""(with the concept, with something like it in its place, with nothing in its place; empty: the place alone)."""

UNRELATED: Mapping[str, tuple[Phrase, ...]] = {
    "dev": (
        ("a red car", "car"), ("a bowl of fruit", "fruit"), ("a wooden table", "table"), ("a guitar", "guitar"),
        ("a bicycle", "bicycle"),
    ),
    "test": (
        ("a vase of tulips", "tulips"), ("an umbrella", "umbrella"), ("a clock", "clock"), ("a teapot", "teapot"),
        ("a pair of boots", "boots"), ("a telescope", "telescope"), ("a globe", "globe"), ("a lantern", "lantern"),
        ("a suitcase", "suitcase"), ("a typewriter", "typewriter"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class About:
    """What is asked of pictures of a concept.

    Attributes:
        name: its folder.
        text: what CLIP is asked for.
        label: the noun of the concept.
        words: one of these is in every prompt with the concept, none in any without it.
        contrasts: texts between which zero-shot CLIP chooses, besides ``text``.
        rubric: what a judge's scores 0, 25, 50, 75 and 100 mean.
        explicit: whether its pictures are shown blurred.
    """

    name: str
    text: str
    label: str
    words: tuple[str, ...]
    contrasts: tuple[str, ...]
    rubric: tuple[str, str, str, str, str]
    explicit: bool = False


@dataclass(frozen=True)
class Thing:
    """A concept that is put into places.

    Attributes:
        about: what is asked of its pictures.
        fit: phrases of pairs, without their places.
        captions: natural sentences of pairs, as people describe pictures.
        targets: phrases of dev and test.
        natural: natural sentences of test with the concept, and what is left of them without it.
        siblings: phrases of near neighbours, by set; those of test are of other kinds than the pairs'.
        places: where it is put.
    """

    about: About
    fit: tuple[Triple, ...]
    captions: tuple[Triple, ...]
    targets: Mapping[str, tuple[Target, ...]]
    natural: tuple[Target, ...]
    siblings: Mapping[str, tuple[Phrase, ...]]
    places: Places

    def rows(self, family: str) -> dict[str, Rows]:
        """Of every file."""
        frames = FRAMES[family]
        turns = turning(frames["fit"], self.fit, self.places.fit)
        pairs = [tuple(worded(f, part, where) for part in triple) for f, triple, where in turns]
        made: dict[str, Rows] = {"fit": [*pairs[: SIZES["fit"] - len(self.captions)], *self.captions]}
        for which, places in (("dev", self.places.dev), ("test", self.places.test)):
            targets = [(phrase, self.about.label, rest) for phrase, rest in self.targets[which]]
            own: Rows = [
                ("target", text, self.about.label, rest, text) for text, rest in self.natural if which == "test"
            ]
            others: dict[str, list[tuple[str, str, str | None]]] = {
                "sibling": [(*phrase, None) for phrase in self.siblings[which]],
                "unrelated": [(*phrase, None) for phrase in UNRELATED[which]],
            }
            placed = self._placed(frames[which], targets, places, SIZES[which] - len(own))
            made[which] = [("target", *row) for row in placed] + own
            for role, phrases in others.items():
                made[which] += [(role, *row) for row in self._placed(frames[which], phrases, places, SIZES[which])]
        return made

    def _placed(
        self, frames: Sequence[str], phrases: Sequence[tuple[str, str, str | None]], places: Sequence[str], count: int
    ) -> Iterator[tuple[str, ...]]:
        for frame, (what, noun, rest), where in islice(turning(frames, phrases, places), count):
            yield worded(frame, what, where), noun, worded(frame, rest, where) if rest is not None else "", what


def turning(frames: Sequence[str], phrases: Sequence, places: Sequence[str]) -> Iterator[tuple]:
    """(frame, phrase, place) without repetition, all three changing from one to the next."""
    seen = set()
    for turn in range(len(frames) * len(phrases) * len(places)):
        lap = turn // max(len(phrases), len(places))
        found = (
            frames[(turn + turn // len(frames) + lap) % len(frames)],  # what repeats every three phrases meets all
            phrases[(turn + 2 * lap) % len(phrases)],
            places[(turn + lap // len(phrases)) % len(places)],
        )
        if found not in seen:
            seen.add(found)
            yield found
    yield from (found for found in product(frames, phrases, places) if found not in seen)
