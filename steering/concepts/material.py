"""What somebody else says of a concept, for its set of prompts: things like it, and sentences as people write them.

It may come from a language model, so nothing of it is believed: what would be a weak or an improper prompt is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ..checks import check_text
from ..errors import SteeringError
from .checking import ALIKE, MINORS, words
from .request import Request, checked
from .scenes import apart

FIT, TEST = 10, 20
"""Sentences that pairs take, and those that the report's targets take."""
LONGEST = 40
"""Words of a sentence, which stay within one chunk of 75 tokens."""
SIBLINGS, LONGEST_SIBLING = 12, 4
"""Most things alike, and words of one."""
FEWEST = 10
"""Sentences below which an answer is of no use."""


@dataclass(frozen=True)
class Caption:
    """A sentence with the concept, with something else in its place, and with nothing there."""

    positive: str
    negative: str
    rest: str


@dataclass(frozen=True)
class Material:
    """What a set of prompts takes besides its templates.

    Attributes:
        siblings: things like the concept, which must stay.
        captions: sentences, the first of which go into the pairs and the others into the report.
    """

    siblings: tuple[str, ...] = ()
    captions: tuple[Caption, ...] = field(default=())

    @property
    def fit(self) -> tuple[Caption, ...]:
        """Those of the pairs, a third at most."""
        return self.captions[: min(FIT, len(self.captions) // 3)]

    @property
    def test(self) -> tuple[Caption, ...]:
        """Those of the report's targets."""
        return self.captions[len(self.fit) :][:TEST]


def accepted(said: Mapping[str, Any], request: Request, explicit: bool) -> Material:
    """What of an answer ``{siblings: [...], captions: [{with, instead, without}]}`` can be used.

    Args:
        said: the answer, as JSON gave it.
        request: the concept in its plain form.
        explicit: whether people in its prompts must be said to be adults.

    Raises:
        SteeringError: too little of it is of use; the message says what was wrong with how many.
    """
    given, word = said.get("captions"), request.word
    captions, wrong = [], []
    for entry in given if isinstance(given, list) else []:
        caption = _caption(entry)
        fault = "not three texts" if caption is None else _fault(caption, word, explicit, captions)
        if caption is None or fault:
            wrong.append(fault)
        else:
            captions.append(caption)
    if len(captions) < FEWEST:
        found = ", ".join(f"{wrong.count(fault)} {fault}" for fault in dict.fromkeys(wrong)) or "none was given"
        raise SteeringError(
            f"only {len(captions)} sentences of the answer can be used ({found}); ask again, another model, or write "
            "without --llm"
        )
    return Material(_siblings(said.get("siblings"), request), tuple(captions))


def _siblings(given: Any, request: Request) -> tuple[str, ...]:
    """Those that a request may name."""
    found: dict[str, None] = {}
    for one in given if isinstance(given, list) else []:
        if isinstance(one, str) and one.strip() and len(words(one)) <= LONGEST_SIBLING:
            with suppress(SteeringError):
                (plain,) = checked(replace(request, siblings=(one,))).siblings
                found[plain] = None
    return tuple(found)[:SIBLINGS]


def _caption(entry: Any) -> Caption | None:
    parts = [entry.get(name) for name in ("with", "instead", "without")] if isinstance(entry, Mapping) else []
    if len(parts) != 3 or not all(isinstance(part, str) and part.strip() for part in parts):
        return None
    return Caption(*(" ".join(str(part).split()) for part in parts))


def _fault(caption: Caption, word: str, explicit: bool, before: Sequence[Caption]) -> str:
    """What is wrong with a sentence, or nothing."""
    sides = (caption.positive, caption.negative, caption.rest)
    try:
        for side in sides:
            check_text(side, "a sentence")
    except SteeringError:
        return "of letters that are none"
    if any(len(words(side)) > LONGEST for side in sides):
        return "too long"
    if any("(" in side or "|" in side for side in sides):
        return "with signs that prompts read"
    if apart([caption.positive], word):
        return "without the concept"
    if len(apart([caption.negative, caption.rest], word)) < 2:
        return "that name it where it should be gone"
    if MINORS & {part for side in sides for part in words(side)}:
        return "with minors"
    if explicit and not all({"adult", "adults"} & set(words(side)) for side in sides):
        return "that do not say adult"
    mine = set(words(caption.positive))
    if any(len(mine & other) >= ALIKE * len(mine | other) for other in (set(words(one.positive)) for one in before)):
        return "said before"
    return ""
