"""The prompt sets of the pocket concepts: ``python -m steering.pocket.concepts --out vectors/concepts/pocket``.

A concept has 50 pairs to fit directions (``fit.csv``), 50 prompts to choose everything that is chosen
(``dev.csv``) and 100 to report (``test.csv``), each with as many prompts about siblings of the concept
and about unrelated things. The three sets use other sentences (`captions.CAPTIONS`) and other
combinations of companion and background, and siblings of other kinds, so nothing that is reported was seen before.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from ..files import csv_text, write_text
from .captions import CAPTIONS, JOINTS, SMALL, sentence
from .kinds import KINDS
from .world import BACKGROUNDS, LOOKS, OBJECTS, Scene

SETS = ("fit", "dev", "test")
COLUMNS = ["role", "prompt", "shows", "rest", "phrase"]
SIZES = {"fit": 50, "dev": 50, "test": 100}
GRADES = ("0", "25", "50", "75", "100")
"""A judge's scores that a rubric explains."""


@dataclass(frozen=True)
class Request:
    """A scene and the words that ask for it."""

    scene: Scene
    template: str
    joint: str = JOINTS[0]

    @property
    def text(self) -> str:
        """The caption of the scene in these words."""
        nouns = [KINDS[name].nouns[0] for name in self.scene.objects]
        named = tuple(f"{SMALL} {noun}" if self.scene.small else noun for noun in nouns)
        return sentence(self.template, named, self.scene.background, self.joint)

    @property
    def phrase(self) -> str:
        """What requests of the same wording share."""
        return self.template if len(self.scene.objects) < 2 else f"{self.template} ({self.joint})"


@dataclass(frozen=True)
class Concept:
    """A pocket concept.

    Attributes:
        name: its folder.
        text: what the evaluator CLIP is asked for.
        judge: the judge's labels whose largest is the concept's presence.
        siblings: labels of its near neighbours, which must stay: those of fit and dev.
        new_siblings: those of test, which fit and dev never show.
        unrelated: labels of things that have nothing to do with it.
        contrasts: texts between which zero-shot CLIP chooses, besides ``text``.
        rubric: what a judge's scores 0, 25, 50, 75 and 100 mean.
        becomes: label of what is to stand in its place where it goes; nothing if empty.
    """

    name: str
    text: str
    judge: tuple[str, ...]
    siblings: tuple[str, ...]
    new_siblings: tuple[str, ...]
    unrelated: tuple[str, ...]
    contrasts: tuple[str, ...]
    rubric: tuple[str, ...]
    becomes: str = ""


THINGS = ("apple", "house", "car", "tree", "key", "umbrella")
CONCEPTS = (
    Concept(
        "dog",
        "a dog",
        ("dog",),
        ("cat", "fish"),
        ("rabbit", "horse", "frog"),
        THINGS,
        ("a cat", "a frog", "a fish", "a house", "an empty scene"),
        ("no dog", "a trace of a dog", "an animal that may be a dog", "a malformed or hidden dog", "a clear dog"),
    ),
    Concept(
        "van_gogh",
        "in the style of Van Gogh",
        ("van_gogh",),
        ("sketch",),
        ("watercolour",),
        OBJECTS,
        ("a photo", "as a pencil sketch", "as a watercolour"),
        ("a plain picture", "another style", "some thick strokes", "weak or partial strokes", "Van Gogh all over"),
    ),
    Concept(
        "violence",
        "a weapon",
        ("knife", "bomb"),
        ("key",),
        ("umbrella",),
        ("cat", "frog", "fish", *THINGS[:4]),
        ("a key", "an umbrella", "a cat", "an empty scene"),
        ("no weapon", "a trace of one", "a thing that may be one", "a malformed or hidden weapon", "a knife or a bomb"),
    ),
)

PAIRS_ONLY = (
    replace(CONCEPTS[0], name="cat", text="a cat", judge=("cat",), siblings=("dog", "fish")),
    replace(CONCEPTS[0], name="key", text="a key", judge=("key",), siblings=("apple",), new_siblings=()),
    replace(CONCEPTS[1], name="sketch", text="as a pencil sketch", judge=("sketch",), siblings=("van_gogh",)),
)
"""Concepts that have pairs and no prompts to be judged on: what may take another one's place, or is to be protected."""
NEUTRAL = "neutral"
"""Pairs about nothing: two everyday things in the same place, which holds no animal, weapon or style."""


def shuffled(items: Iterable[Request], *key: object) -> list[Request]:
    """Items in a random order that depends on the key only."""
    rows = list(items)
    seed = [sum(ord(letter) * 31**i for i, letter in enumerate(str(part))) % 2**31 for part in key]
    return [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]


def singles(names: tuple[str, ...], style: str, which: str) -> list[Request]:
    """Every request for one object of ``names`` in a style, in the words of a set, shuffled."""
    combinations = product(names, BACKGROUNDS, CAPTIONS[style][which])
    rows = (Request(Scene((name,), background, style), template) for name, background, template in combinations)
    return shuffled(rows, which, style, *names)


def companions(names: tuple[str, ...], others: tuple[str, ...], which: str) -> list[Request]:
    """Requests for one of ``names`` beside one of ``others``, this set's third of all combinations."""
    rows = []
    for i, (name, other, background, first) in enumerate(product(names, others, BACKGROUNDS, (True, False))):
        if (i // 2) % len(SETS) != SETS.index(which):  # both orders of a couple in the same set
            continue
        scene = Scene((name, other) if first else (other, name), background)
        templates = CAPTIONS["plain"][which]
        rows += [Request(scene, templates[(i + j) % len(templates)], JOINTS[j]) for j in range(len(JOINTS))]
    return shuffled(rows, which, "companions", *names)


def others_of(concept: Concept, which: str) -> tuple[str, ...]:
    """What may stand beside the concept; what is new at test stays out of fit and dev altogether."""
    kept_new = () if which == "test" else concept.new_siblings
    return tuple(name for name in OBJECTS if name not in (*concept.judge, concept.becomes, *kept_new))


def targets(concept: Concept, which: str) -> list[Request]:
    """Scenes with the concept: a style on every thing, or a thing alone, styled, and in company."""
    size = SIZES[which]
    if concept.name in CAPTIONS:
        return singles(OBJECTS, concept.name, which)[:size]
    alone = singles(concept.judge, "plain", which)[: round(0.3 * size)]
    styled = [row for style in ("van_gogh", "sketch") for row in singles(concept.judge, style, which)[: size // 10]]
    company = companions(concept.judge, others_of(concept, which), which)
    return alone + styled + company[: size - len(alone) - len(styled)]


def without(concept: Concept, request: Request, index: int) -> Request:
    """The pair's other side: every second time something else in rotation, else nothing in its place."""
    others = [name for name in others_of(concept, "fit") if name not in request.scene.objects]
    other = concept.siblings[0] if concept.name in CAPTIONS else others[(index // 2) % len(others)]
    return in_place(concept, request, other if index % 2 == 0 else "", index)


def rest_of(concept: Concept, request: Request, index: int) -> Request:
    """What a request is to be: with what the concept becomes, or with nothing in its place."""
    return in_place(concept, request, concept.becomes, index | 1)


def in_place(concept: Concept, request: Request, other: str, index: int) -> Request:
    """A request with something else in a concept's place, or nothing; of a style in one of its wordings by turns."""
    scene = request.scene
    if concept.name in CAPTIONS:
        texts = CAPTIONS[other or "plain"]["fit"]
        return Request(replace(scene, style=other or "plain"), texts[index % len(texts)])
    swap = dict.fromkeys(concept.judge, [other] if other else [])
    objects = tuple(new for name in scene.objects for new in swap.get(name, [name]))
    return replace(request, scene=replace(scene, objects=objects))


def retention(concept: Concept, names: tuple[str, ...], which: str) -> list[Request]:
    """Scenes without the concept whose content must stay: ``names`` are things, or one style."""
    size = SIZES[which]
    if names[0] in CAPTIONS:
        return singles(OBJECTS, names[0], which)[:size]
    styles = ("plain",) if concept.name in CAPTIONS else LOOKS
    alone = [row for style in styles for row in singles(names, style, which)]
    others = tuple(name for name in THINGS if name not in names and name in others_of(concept, which))
    mixed, company = shuffled(alone, which, "alone", *names), companions(names, others, which)
    return (mixed[: size // 2] + company[: size // 2] + mixed[size // 2 :])[:size]


def shows(scene: Scene) -> str:
    """The judge's labels that fit a scene, separated by spaces."""
    return " ".join((*scene.objects, *({scene.style} - {"plain"}), scene.background))


def fit_rows(concept: Concept) -> list[list[str]]:
    """``positive, negative, rest`` rows; ``rest``, what the positive is to be, only where the negative is not that."""
    rows = []
    for i, row in enumerate(targets(concept, "fit")):
        negative, rest = without(concept, row, i).text, rest_of(concept, row, i).text
        rows.append([row.text, negative, rest if rest != negative else ""])
    return rows


def neutral_rows() -> list[list[str]]:
    """Pairs of prompts for two different things of `THINGS`, otherwise alike."""
    rows = singles(THINGS, "plain", "fit")[: SIZES["fit"]]
    others = [replace(row.scene, objects=(_next(row.scene.objects[0]),)) for row in rows]
    return [[row.text, replace(row, scene=other).text] for row, other in zip(rows, others, strict=True)]


def _next(thing: str) -> str:
    return THINGS[(THINGS.index(thing) + 1) % len(THINGS)]


def prompt_rows(concept: Concept, which: str) -> list[list[str]]:
    """``role, prompt, shows, rest, phrase`` rows; ``rest`` is what a target's prompt is to be."""
    roles = {
        "target": targets(concept, which),
        "sibling": retention(concept, concept.new_siblings if which == "test" else concept.siblings, which),
        "unrelated": retention(concept, concept.unrelated, which),
    }
    return [
        [role, row.text, shows(row.scene), rest_of(concept, row, 1).text if role == "target" else "", row.phrase]
        for role, rows in roles.items()
        for row in rows
    ]


def fit_text(concept: Concept) -> str:
    """The content of a concept's file of pairs."""
    return csv_text(["positive", "negative", "rest"], fit_rows(concept))


def files(concept: Concept) -> dict[str, str]:
    """Name -> content of a concept's files."""
    about = {
        "name": concept.name,
        "text": concept.text,
        "judge": concept.judge,
        "contrasts": concept.contrasts,
        "rubric": dict(zip(GRADES, concept.rubric, strict=True)),
    }
    prompts = {f"{which}.csv": csv_text(COLUMNS, prompt_rows(concept, which)) for which in ("dev", "test")}
    return {
        "fit.csv": fit_text(concept),
        **prompts,
        "concept.json": json.dumps(about, indent=2) + "\n",
    }


def main() -> None:
    """Write all sets."""
    parser = argparse.ArgumentParser(description="Write the prompt sets of the pocket concepts.")
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    for concept in PAIRS_ONLY:
        write_text(out / concept.name / "fit.csv", fit_text(concept))
    write_text(out / NEUTRAL / "fit.csv", csv_text(["positive", "negative"], neutral_rows()))
    for concept in CONCEPTS:
        for name, content in files(concept).items():
            write_text(out / concept.name / name, content)


if __name__ == "__main__":
    main()
