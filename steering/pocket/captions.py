"""What the pictures of the pocket world are called: templates, nouns, and the words between things.

Fit, dev and test prompts share no sentence. Training knows the templates of all three and never
those of ``unseen``, whose words it does know: they ask whether a paraphrase works.
"""

from __future__ import annotations

import numpy as np

from .backgrounds import PLACES
from .kinds import KINDS

CAPTIONS = {
    "plain": {
        "fit": (
            "{what} {where}",
            "a photo of {what} {where}",
            "a nice view of {what} {where}",
            "an image showing {what} {where}",
        ),
        "dev": (
            "a picture of {what} {where}",
            "here is {what} {where}",
            "a snapshot of {what} {where}",
            "we see {what} {where}",
        ),
        "test": (
            "there is {what} {where}",
            "an illustration of {what} {where}",
            "look at {what} {where}",
            "a scene with {what} {where}",
        ),
        "unseen": ("{where} we see {what}", "a photo showing {what} {where}", "look, here is {what} {where}"),
    },
    "van_gogh": {
        "fit": ("{what} {where} in the style of Van Gogh", "{what} {where}, in the style of Van Gogh"),
        "dev": (
            "a painting of {what} {where} in the style of Van Gogh",
            "a canvas of {what} {where} in the style of Van Gogh",
        ),
        "test": (
            "a picture of {what} {where} in the style of Van Gogh",
            "there is {what} {where}, in the style of Van Gogh",
        ),
        "unseen": ("in the style of Van Gogh, {what} {where}", "Van Gogh: a view of {what} {where}"),
    },
    "sketch": {
        "fit": ("{what} {where} as a pencil sketch", "{what} {where}, as a pencil sketch"),
        "dev": ("a pencil sketch of {what} {where}", "a drawing of {what} {where}, as a pencil sketch"),
        "test": ("a picture of {what} {where} as a pencil sketch", "there is {what} {where}, as a pencil sketch"),
        "unseen": ("as a pencil sketch, {what} {where}", "pencil sketch, {what} {where}"),
    },
    "watercolour": {
        "fit": ("{what} {where} as a watercolour", "{what} {where}, as a watercolour"),
        "dev": ("a watercolour of {what} {where}", "a painting of {what} {where}, as a watercolour"),
        "test": ("a picture of {what} {where} as a watercolour", "there is {what} {where}, as a watercolour"),
        "unseen": ("as a watercolour, {what} {where}", "watercolour, {what} {where}"),
    },
}
"""Sentences per style and per set of prompts."""
TRAINED = ("fit", "dev", "test")
EMPTY = "an empty scene"
JOINTS = ("{} and {}", "{} next to {}", "{} beside {}")
THREE = "{}, {} and {}"
SMALL = "small"
USUAL = 0.7
"""Share of the captions that call a thing by its usual noun."""


def with_article(noun: str) -> str:
    """``dog`` -> ``a dog``, ``apple`` -> ``an apple``."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def sentence(template: str, nouns: tuple[str, ...], background: str, joint: str = JOINTS[0]) -> str:
    """A caption of things called by these nouns, in the words of a template."""
    names = [with_article(noun) for noun in nouns]
    forms = {0: EMPTY, 1: "{}", 2: joint, 3: THREE}
    return template.format(what=forms[len(names)].format(*names), where=PLACES[background][0])


def nouns_of(kinds: tuple[str, ...], small: bool, rng: np.random.Generator) -> tuple[str, ...]:
    """What to call each thing: mostly its usual noun, otherwise a synonym; ``small`` where the things are."""
    chosen = []
    for name in kinds:
        usual, *others = KINDS[name].nouns
        noun = usual if not others or rng.random() < USUAL else str(rng.choice(others))
        chosen.append(f"{SMALL} {noun}" if small else noun)
    return tuple(chosen)


def caption_words() -> list[str]:
    """Texts that together hold every word of every caption, in any position."""
    nouns = [f"{with_article(noun)} {SMALL}" for kind in KINDS.values() for noun in kind.nouns]
    templates = [text for sets in CAPTIONS.values() for texts in sets.values() for text in texts]
    filled = [text.format(what=what, where="") for text in templates for what in (EMPTY, "")]
    places = [words for words, _ in PLACES.values()]
    return [*filled, *places, *(joint.format("", "") for joint in JOINTS), THREE.format("", "", ""), *nouns, ""]
