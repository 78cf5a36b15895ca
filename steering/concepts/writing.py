"""A whole set of prompts from a word: pairs, dev and test prompts, by templates.

Every sentence is a scene in which one thing is left open: said with the concept, with something like it, or with
nothing in its place. So the two sides of a pair differ in nothing else. Fitting, choosing and reporting use other
places, other wordings and other things alike (`word_lists`), in an order that depends on the word alone.
Templates know grammar, not sense: read what they wrote, and let `checking.check_concept` read it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from random import Random

from ..errors import SteeringError
from ..families import family_named
from ..files import csv_text
from ..pocket.concepts import COLUMNS, GRADES, SIZES, files
from ..pocket.vocabulary import STYLES, becoming, concept_of, known_words
from .kinds import KINDS, Alike, Kind, alike
from .material import Material
from .meanings import called, senses_of
from .prompts import LONGEST_NAME, RESERVED, ROLES
from .request import KNOWN, Request, begins, checked
from .scenes import (
    Scene,
    apart,
    follows_its_noun,
    shuffled,
    styled,
    things,
)
from .tables import csv_rows
from .word_lists import EXPLICIT

FILES = ("concept.json", "fit.csv", "dev.csv", "test.csv")
"""Of a set."""


@dataclass(frozen=True)
class Written:
    """A set that was written.

    Attributes:
        word: the concept in its plain form.
        kind: what it was taken for.
        known: whether things like it were known or given; otherwise they are of all kinds.
        alike: what it is told apart from.
        files: name -> content: ``concept.json``, ``fit.csv``, ``dev.csv``, ``test.csv``.
        senses: words that mean one thing each, where the word means several.
    """

    word: str
    kind: str
    known: bool
    alike: Alike
    files: Mapping[str, str]
    senses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The concept's name, of the word in its plain form."""
        return str(json.loads(self.files["concept.json"])["name"])

    @property
    def remarks(self) -> list[str]:
        """What the word was taken for, and what may be wrong with that, a line each; options by their bare names."""
        seen = ", ".join(self.alike.seen)
        lines = [f"taken for the {self.kind} {self.word!r} (kind says otherwise); told apart from {seen}"]
        if self.senses:
            lines.append(f"this means several things; {' or '.join(self.senses)} means one of them")
        if not self.known:
            lines.append("nothing like it is known, so these are of all kinds; siblings names better ones")
        lines += [
            f"only {count} {what}, since other sentences name it themselves"
            for what, count, wanted in self._counts()
            if count < wanted
        ]
        return lines

    def _counts(self) -> list[tuple[str, int, int]]:
        """What is in the set, how many of it, and how many there should be."""
        pairs = len(csv_rows(self.files["fit.csv"], "fit.csv", ()))
        found = [("pairs", pairs, SIZES["fit"])]
        for which in ("dev", "test"):
            rows = [row["role"] for _, row in csv_rows(self.files[f"{which}.csv"], f"{which}.csv", ())]
            found += [(f"{which} prompts of role {role}", rows.count(role), SIZES[which]) for role in ROLES]
        return found


def write_set(request: Request, family: str = "sd15", material: Material | None = None) -> Written:
    """The set of a concept, in words of a family of models: ``pocket`` knows few, any other all.

    Args:
        request: the concept.
        family: of models.
        material: siblings that are taken where the request names none, and sentences that take some templates' place.

    Raises:
        SteeringError: a word without letters, too long or not to be written about by template; an unknown kind; what
            the pocket model does not know; or sentences that do not say what the concept is to become.
    """
    if request.becomes and material:
        raise SteeringError("what a concept becomes is written by templates alone; leave the language model out")
    if not family_named(family).is_embedded:
        return _of_templates(request, material or Material())
    if material:
        raise SteeringError("the pocket model knows few words, and sentences of others are not among them")
    return _of_the_pocket(request)


def _of_the_pocket(request: Request) -> Written:
    made = concept_of(request.word)
    if made is None or request.kind != "auto" or request.siblings:
        raise SteeringError(
            f"the pocket model knows {', '.join(known_words())}, each with siblings of its own; take one of these with "
            "kind auto and no siblings, or write in words for any model"
        )
    if request.becomes:
        made = becoming(made, request.becomes)
    others = Alike(made.siblings, made.new_siblings, made.unrelated)
    return Written(made.text, "style" if made.name in STYLES else "object", True, others, files(made))


def _of_templates(request: Request, material: Material) -> Written:
    request = checked(request if request.siblings else replace(request, siblings=material.siblings))
    word = request.word
    random = Random(word)
    others = alike(word, request.kind, request.siblings, random)
    pairs = _pairs(request, _scenes(request, "fit", random)[: SIZES["fit"]], others.seen)
    pairs[len(pairs) - len(material.fit) :] = [[one.positive, one.negative, one.rest] for one in material.fit]
    contents = {"concept.json": _about(request, others), "fit.csv": csv_text(("positive", "negative", "rest"), pairs)}
    for which, near in (("dev", others.seen), ("test", others.new)):
        rows = _prompts(request, which, near, others.far, random)
        last = sum(role == "target" for role, *_ in rows) - 1  # a narrow word has fewer scenes than are asked for
        for i, one in enumerate(material.test if which == "test" else ()):
            rows[last - i] = ["target", one.positive, name_of(word), one.rest, one.positive]
        contents[f"{which}.csv"] = csv_text(COLUMNS, rows)
    known = called(word) in KNOWN[request.kind] or request.kind == "style"
    named = len(request.siblings) > 1 or (request.kind == "attribute" and follows_its_noun(word))
    return Written(word, request.kind, known or named, others, contents, senses_of(word))


def name_of(word: str) -> str:
    """A concept's name: letters and digits of a word, joined by _."""
    name = "_".join(re.findall(r"\w+", word.casefold()))[:LONGEST_NAME].strip("_")
    return f"{name}_" if name in RESERVED else name


def _about(request: Request, others: Alike) -> str:
    kind, word = KINDS[request.kind], request.word
    text = kind.text(word)
    contrasts = [*[kind.text(other) for other in others.seen[:4]], "a photo" if kind.scenes is styled else "an object"]
    about = {
        "name": name_of(word),
        "text": text,
        "judge": [name_of(word)],
        "contrasts": [*contrasts, "an empty place"],
        "rubric": dict(zip(GRADES, _rubric(kind, request), strict=True)),
        "explicit": begins(f"{word} {request.becomes}", EXPLICIT),
    }
    return json.dumps(about, indent=2, ensure_ascii=False) + "\n"


def _rubric(kind: Kind, request: Request) -> list[str]:
    said = kind.text(request.word) if request.kind == "object" else request.word
    return [line.format(said) for line in kind.rubric]


def _scenes(request: Request, which: str, random: Random) -> list[Scene]:
    """Scenes of a split, none of which holds what the concept is to become."""
    scenes = KINDS[request.kind].scenes(request.word, which, random)
    return [one for one in scenes if not request.becomes or apart([one.say(None)], request.becomes)]


def _pairs(request: Request, scenes: Sequence[Scene], siblings: Sequence[str]) -> list[list[str]]:
    """``positive, negative, rest`` rows; every third time nothing stands in the concept's place.

    ``rest`` is what the prompt is to be: with what the concept becomes, or with nothing there.
    """
    rows, others, word = [], cycle(siblings), request.word
    for i, scene in enumerate(scenes):
        negative = scene.say(None if i % 3 == 2 else next(others))
        rest = scene.say(request.becomes or None)
        rows.append([scene.say(word), negative, rest if rest != negative else ""])
    return rows


def _prompts(request: Request, which: str, near: Sequence[str], far: Sequence[str], random: Random) -> list[list[str]]:
    """``role, prompt, shows, rest, phrase`` rows; far things in two parts, so that the report has its own."""
    size, half, word = SIZES[which], len(far) // 2, request.word
    scenes = _scenes(request, which, random)
    plain = things(f"{word} thing", which, random)  # of things that are counted, at places that do not name the word
    rows = {
        "target": [(scene, word, scene.say(request.becomes or None)) for scene in scenes[:size]],
        "sibling": [(scene, other, "") for scene, other in zip(shuffled(scenes[:size], random), cycle(near))],
        "unrelated": [
            (scene, other, "") for scene, other in zip(plain, cycle(far[half:] if which == "test" else far[:half]))
        ],
    }
    assert tuple(rows) == ROLES
    return [
        [role, scene.say(what), name_of(what), rest, scene.phrase]
        for role, some in rows.items()
        for scene, what, rest in islice(some, size)
    ]
