"""Prompt pairs: the same sentence with the concept and without it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..checks import check_text, short
from ..errors import SteeringError
from ..families import family_named
from ..files import read_text
from .tables import CURLY, csv_rows, jsonl_rows, lines_of, text_of

Item = TypeVar("Item")

CONCEPTS = Path(__file__).resolve().parent.parent.parent / "vectors" / "concepts"
"""Folder of the built-in concepts, ``<family>/<name>/fit.csv``."""


@dataclass(frozen=True)
class Pair:
    """A prompt with the concept and its counterpart without.

    Attributes:
        positive: the prompt with the concept.
        negative: the same without it; something else may stand in its place.
        rest: the same with nothing in its place, where the pair says so.
    """

    positive: str
    negative: str
    rest: str = ""

    @property
    def without(self) -> str:
        """The prompt that should be drawn where the concept is taken out."""
        return self.rest or self.negative


def load_pairs(source: str | Path, family: str | None = None) -> list[Pair]:
    """Pairs of a built-in concept (``pocket/dog``, ``sd15/dog``; with a family given also ``dog``), file or folder.

    A ``.csv`` file has the header ``positive,negative`` and if need be ``rest``, the prompt with nothing in the
    concept's place; a ``.jsonl`` file one object with these keys a line; a folder has a ``fit.csv``. A byte order
    mark, curly quotes and blank lines do no harm.

    Raises:
        FileNotFoundError: neither a built-in concept of this family nor a file.
        SteeringError: the file is empty or a row lacks a side; the message names the line.
    """
    name = str(source)
    folder = name if name in every_built_in() or family is None else f"{family_named(family).concepts}/{name}"
    path = CONCEPTS / folder / "fit.csv"
    if not path.is_file():
        path = Path(source) / "fit.csv" if (Path(source) / "fit.csv").is_file() else Path(source)
    if not path.is_file():
        known = built_in(family) if family else every_built_in()
        raise FileNotFoundError(
            f"concept {name!r} is neither a file nor a built-in concept{f' of {family}' if family else ''} "
            f"({', '.join(known) or 'there are none'}); give a .csv with the header positive,negative"
        )
    return parse_pairs(read_text(path), jsonl=path.suffix == ".jsonl", name=path.name)


def built_in(family: str = "pocket") -> list[str]:
    """Names of the built-in concepts of a model family."""
    return sorted(path.parent.name for path in (CONCEPTS / family_named(family).concepts).glob("*/fit.csv"))


def every_built_in() -> list[str]:
    """``family/concept`` of all built-in concepts."""
    return sorted(path.parent.relative_to(CONCEPTS).as_posix() for path in CONCEPTS.glob("*/*/fit.csv"))


def parse_pairs(text: str, jsonl: bool = False, name: str = "pairs") -> list[Pair]:
    """Pairs from CSV text with the header ``positive,negative``, or from JSON lines.

    Raises:
        SteeringError: no pair, a missing column, or a row without one of its two sides.
    """
    rows = jsonl_rows(text, name) if jsonl else csv_rows(text, name, ("positive", "negative"))
    pairs = []
    for line, row in rows:
        sides = [row.get(key) for key in ("positive", "negative")]
        if not all(isinstance(side, str) and side.strip() for side in sides):
            raise SteeringError(
                f"{name}, line {line}: a pair needs both a positive and a negative prompt, got {short(row)}"
            )
        where = f"{name}, line {line}"
        rest = text_of(row, "rest", where).translate(CURLY)
        pairs.append(_pair([str(side).translate(CURLY).strip() for side in sides], where, rest))
    if not pairs:
        raise SteeringError(f"{name} holds no pairs; write one 'positive,negative' row each, fifty work well")
    return pairs


def parse_lines(text: str, name: str = "pairs") -> list[Pair]:
    """Pairs from lines ``positive | negative``; blank lines and lines that start with # do not count.

    Raises:
        SteeringError: no pair, or a line without exactly one bar and two prompts.
    """
    pairs = []
    for line, content in enumerate(lines_of(text), start=1):
        if not content.strip() or content.lstrip().startswith("#"):
            continue
        sides = [side.strip() for side in content.translate(CURLY).split("|")]
        if len(sides) != 2 or not all(sides):
            raise SteeringError(f"{name}, line {line}: expected 'positive | negative', got {short(content.strip())}")
        pairs.append(_pair(sides, f"{name}, line {line}"))
    if not pairs:
        raise SteeringError(f"{name} holds no pairs; write one 'positive | negative' a line, fifty work well")
    return pairs


def _pair(sides: Sequence[str], where: str, rest: str = "") -> Pair:
    for side in (*sides, rest):
        check_text(side, where)
    positive, negative = sides
    if positive in (negative, rest):
        raise SteeringError(f"{where}: both prompts are {short(positive)}, so there is no difference to learn from")
    return Pair(positive, negative, rest)


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """``count`` items (or all of them), spread evenly over the list so that every kind is in."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def pairs_hash(pairs: Sequence[Pair]) -> str:
    """SHA-256 of the pairs in their order."""
    rows = [
        [pair.positive, pair.negative, pair.rest] if pair.rest else [pair.positive, pair.negative] for pair in pairs
    ]
    text = json.dumps(rows, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
