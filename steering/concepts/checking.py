"""What is weak in a concept's prompts: files without an error can still teach, or measure, something else.

A direction learns whatever sets positives apart from negatives, so a word that only one side holds becomes part of it.
Figures on test prompts mean something only where fitting and choosing have not seen them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .english import plural_of
from .meanings import is_kind
from .pairs import Pair, load_pairs
from .prompts import Concept, Prompt, concept_folder, load_concept, read_prompts

FEW_PAIRS, FEW_TARGETS = 20, 40
"""Below so many pairs a direction is uncertain, and below so many wordings of the targets figures are of few."""
ONE_SIDED, ONE_NEGATIVE = 0.15, 0.4
"""Shares of pairs from which on a word of one side counts: of positives; of negatives, where siblings take turns."""
ALIKE = 0.8
"""Prompts that share so much of their words (Jaccard) are nearly the same."""
SHOWN = 5
"""Rows that are shown of a finding."""
COMMON = frozenset({
    "a", "an", "the", "of", "in", "on", "at", "by", "as", "with", "and", "or", "to", "for", "from", "its", "his", "her",
    "their", "is", "are", "no", "not", "style", "wearing", "holding", "carrying", "riding", "art",
})  # fmt: skip
"""Words that say nothing of a concept alone."""
MINORS = frozenset({
    "child", "children", "kid", "kids", "boy", "boys", "girl", "girls", "teen", "teens", "teenager", "teenagers",
    "minor", "minors", "baby", "babies", "toddler", "infant", "schoolgirl", "schoolboy", "underage", "young",
})  # fmt: skip

Chunks = Callable[[str], int]
"""How many chunks of 75 tokens a text encoder takes a prompt in."""


@dataclass(frozen=True)
class Finding:
    """A weakness.

    Attributes:
        what: its kind, in a word or two.
        text: a sentence: what it is and what to do.
        rows: where, the first `SHOWN` of them.
        count: of all rows.
    """

    what: str
    text: str
    rows: tuple[str, ...] = ()
    count: int = 0


def _finding(what: str, text: str, rows: Sequence[str]) -> list[Finding]:
    return [Finding(what, text, tuple(rows[:SHOWN]), len(rows))] if rows else []


def words(text: str) -> list[str]:
    """The words of a prompt in small letters, in their order."""
    return re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", text.casefold())


def check_concept(name: str, family: str, chunks: Chunks) -> list[Finding]:
    """Every weakness of a concept's set: a built-in concept of a family, or a folder of one's own.

    Raises:
        FileNotFoundError, SteeringError: the folder lacks a file, or a file cannot be read.
    """
    folder = concept_folder(name, family)
    concept, pairs = load_concept(name, family), load_pairs(folder / "fit.csv")
    splits = {which: _read(folder / f"{which}.csv") for which in ("dev", "test")}
    return [
        *check_pairs(pairs, concept),
        *check_splits(pairs, splits),
        *check_siblings(splits, concept),
        *check_targets(splits),
        *check_lengths(pairs, splits, chunks),
        *check_minors(pairs, splits, concept),
    ]


def _read(path: Path) -> list[Prompt]:
    return read_prompts(path) if path.is_file() else []


def check_pairs(pairs: Sequence[Pair], concept: Concept) -> list[Finding]:
    """Too few, the same again, words on one side alone, the concept among the negatives."""
    found: list[Finding] = []
    if len(pairs) < FEW_PAIRS:
        found.append(Finding("few pairs", f"{len(pairs)} pairs leave a direction uncertain; fifty work well"))
    twice = [f"pair {i + 1}: {pair.positive} | {pair.negative}" for i, pair in enumerate(pairs) if pair in pairs[:i]]
    found += _finding("repeated", f"{len(twice)} pairs stand there more than once; write others", twice)
    held = Held.of(pairs)
    own = held.own(concept)
    leaks = [
        f"pair {i + 1}: {side}"
        for i, pair in enumerate(pairs)
        for side in dict.fromkeys((pair.negative, pair.without))
        if own & set(words(side))
    ]
    named = ", ".join(sorted(own))
    found += _finding(
        "not without",
        f"{len(leaks)} negatives hold a word of the concept ({named}), so that it is part of both sides; take it out",
        leaks,
    )
    return found + _one_sided(held, len(pairs), own)


@dataclass(frozen=True)
class Held:
    """How many positives, and how many negatives, hold each word."""

    positive: Counter[str]
    negative: Counter[str]

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> Held:
        """Of pairs."""
        sides = [pair.positive for pair in pairs], [pair.negative for pair in pairs]
        return cls(*(Counter(word for prompt in side for word in set(words(prompt))) for side in sides))

    def own(self, concept: Concept) -> set[str]:
        """The concept's own words: those of its text and labels that the positives use more than the negatives."""
        said = set(words(" ".join((concept.text, concept.name.replace("_", " "), *concept.judge)))) - COMMON
        said |= {plural_of(word) for word in said}
        return {word for word in said if self.positive[word] > self.negative[word]}


def _one_sided(held: Held, count: int, own: set[str]) -> list[Finding]:
    def ahead(mine: Counter[str], other: Counter[str], share: float) -> list[str]:
        return [
            f"'{word}': {held.positive[word]} of {count} positives, {held.negative[word]} negatives"
            for word, there in mine.most_common()
            if there - other[word] >= share * count and word not in own | COMMON
        ]

    confounded = ahead(held.positive, held.negative, ONE_SIDED)
    opposite = ahead(held.negative, held.positive, ONE_NEGATIVE)
    return [
        *_finding(
            "confounded",
            f"{len(confounded)} words stand with the concept and hardly without it, so a direction learns them too; "
            "give them to both sides alike, unless they are words for the concept",
            confounded,
        ),
        *_finding(
            "one opposite",
            f"{len(opposite)} words stand in many negatives and hardly with the concept, so that a direction leads to "
            "them; let several things take turns",
            opposite,
        ),
    ]


def check_splits(pairs: Sequence[Pair], splits: dict[str, list[Prompt]]) -> list[Finding]:
    """What fitting, choosing and reporting have in common and should not."""
    fit = [text for pair in pairs for text in (pair.positive, pair.negative)]
    seen = {"fit": fit, "dev": [prompt.text for prompt in splits["dev"]]}
    found: list[Finding] = []
    for which, earlier in (("dev", "fit"), ("test", "fit"), ("test", "dev")):
        near = near_duplicates([prompt.text for prompt in splits[which]], seen[earlier])
        rows = [f"{prompt} ~ {other}" for prompt, other in near]
        text = f"{len(rows)} prompts of {which} are nearly those of {earlier}, so what is said of them is no surprise"
        found += _finding("seen before", f"{text}; write them in other words", rows)
    known = {word for text in fit for word in words(text)}
    others = {word for prompt in splits["test"] if prompt.role != "sibling" for word in words(prompt.text)}
    rows = [
        f"test: {prompt.text} ({', '.join(sorted(shared))})"
        for prompt in splits["test"]
        if prompt.role == "sibling" and (shared := set(words(prompt.text)) & known - others - COMMON)
    ]
    return found + _finding(
        "siblings seen",
        f"{len(rows)} siblings of test are of kinds that the pairs hold, which were learned to be kept; take others",
        rows,
    )


def check_siblings(splits: dict[str, list[Prompt]], concept: Concept) -> list[Finding]:
    """Siblings that are the concept by another name, or a kind of it."""
    word = concept.name.replace("_", " ")
    rows = [
        f"{which}: {prompt.text}"
        for which, prompts in splits.items()
        for prompt in prompts
        if prompt.role == "sibling" and any(is_kind(label.replace("_", " "), word) for label in prompt.shows)
    ]
    return _finding(
        "siblings of it",
        f"{len(rows)} siblings are {word} by another name or a kind of it, and yet are to be kept; take others",
        rows,
    )


def near_duplicates(prompts: Sequence[str], others: Sequence[str]) -> list[tuple[str, str]]:
    """The prompts that share `ALIKE` of their words with one of another list, and the first such."""
    sets = [(other, set(words(other))) for other in others]
    found = []
    for prompt in prompts:
        mine = set(words(prompt))
        near = next((other for other, some in sets if mine and len(mine & some) >= ALIKE * len(mine | some)), None)
        if near is not None:
            found.append((prompt, near))
    return found


def check_targets(splits: dict[str, list[Prompt]]) -> list[Finding]:
    """Missing or few targets, and those without a prompt to compare with."""
    found: list[Finding] = []
    for which, prompts in splits.items():
        targets = [prompt for prompt in prompts if prompt.role == "target"]
        if not targets:
            found.append(
                Finding("no targets", f"{which}.csv is missing or holds no target; nothing is measured without")
            )
            continue
        bare = [f"{which}: {prompt.text}" for prompt in targets if not prompt.rest]
        found += _finding(
            "no rest",
            f"{len(bare)} targets of {which} do not say the prompt without the concept (column rest), so that the "
            "distance to it is not known",
            bare,
        )
        missing = [role for role in ("sibling", "unrelated") if all(prompt.role != role for prompt in prompts)]
        found += [
            Finding("no others", f"{which}.csv has no {role} prompts; what they lose stays unseen") for role in missing
        ]
    wordings = {prompt.text for prompt in splits["test"] if prompt.role == "target"}
    if 0 < len(wordings) < FEW_TARGETS:
        found.append(Finding("few targets", f"{len(wordings)} wordings of the target at test; a hundred are usual"))
    return found


def check_lengths(pairs: Sequence[Pair], splits: dict[str, list[Prompt]], chunks: Chunks) -> list[Finding]:
    """Prompts that are longer than a text encoder takes at once."""
    every = [("fit", text) for pair in pairs for text in (pair.positive, pair.negative, pair.rest) if text]
    every += [(which, prompt.text) for which, prompts in splits.items() for prompt in prompts]
    rows = [f"{which}: {text[:80]} ..." for which, text in every if chunks(text) > 1]
    return _finding("long", f"{len(rows)} prompts go on beyond 77 tokens; those of pairs must not", rows)


def check_minors(pairs: Sequence[Pair], splits: dict[str, list[Prompt]], concept: Concept) -> list[Finding]:
    """Words of minors in a set that is explicit."""
    if not concept.explicit:
        return []
    every = [text for pair in pairs for text in (pair.positive, pair.negative, pair.rest)]
    every += [prompt.text for prompts in splits.values() for prompt in prompts]
    rows = [text for text in every if MINORS & set(words(text))]
    return _finding("minors", f"{len(rows)} prompts of an explicit set hold a word of minors; take them out", rows)
