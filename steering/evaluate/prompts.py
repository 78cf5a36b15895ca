"""The prompts that a concept is judged on, and what a picture of each should show."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass

from ..pairs import CONCEPTS, built_in, spread

ROLES = ("target", "sibling", "unrelated")


@dataclass(frozen=True)
class Prompt:
    """A prompt with its role and the judge's labels that its picture should earn."""

    role: str
    text: str
    shows: tuple[str, ...]


@dataclass(frozen=True)
class Concept:
    """A built-in concept: its name, its text for CLIP, and the judge's labels that mean it."""

    name: str
    text: str
    judge: tuple[str, ...]


def load_concept(name: str, family: str = "pocket") -> Concept:
    """A built-in concept; raises FileNotFoundError naming the ones there are."""
    path = CONCEPTS / family / name / "concept.json"
    if not path.is_file():
        raise FileNotFoundError(f"concept {name!r} is not one of {', '.join(built_in(family))} of {family}")
    about = json.loads(path.read_text(encoding="utf-8"))
    return Concept(about["name"], about["text"], tuple(about["judge"]))


def load_prompts(name: str, which: str, family: str = "pocket") -> list[Prompt]:
    """The ``dev`` or ``test`` prompts of a built-in concept, in file order."""
    path = CONCEPTS / family / load_concept(name, family).name / f"{which}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [Prompt(row["role"], row["prompt"], tuple(row["shows"].split())) for row in csv.DictReader(file)]


def take(prompts: list[Prompt], role: str, count: int) -> list[Prompt]:
    """``count`` prompts of a role (or all of them), spread evenly over the list."""
    return spread([prompt for prompt in prompts if prompt.role == role], count)
