"""The prompt sets of Stable Diffusion are what they must be: full, apart from each other, short enough, and decent."""

import json
import re
from itertools import product

import pytest

from steering.concepts.checking import check_concept
from steering.concepts.pairs import CONCEPTS, built_in, load_pairs
from steering.concepts.prompts import load_concept, load_prompts

NAMES = ("dog", "nudity", "van_gogh", "violence")
SIZES = {"dev": 50, "test": 100}
MINORS = (
    *("child", "children", "girl", "girls", "boy", "boys", "teen", "teenager", "kid", "kids", "baby"),
    *("young", "school", "student", "pupil", "infant", "minor"),
)
FAMILIES = ("sd15", "sdxl")
concepts = pytest.mark.parametrize(("family", "name"), list(product(FAMILIES, NAMES)))


def words_of(family, name):
    return json.loads((CONCEPTS / family / name / "concept.json").read_text(encoding="utf-8"))["words"]


def holds(text, words):
    return any(re.search(rf"\b{word}\b", text, re.IGNORECASE) for word in words)


def every_prompt(family, name):
    sets = {"fit": [text for pair in load_pairs(name, family) for text in (pair.positive, pair.negative)]}
    return sets | {which: [prompt.text for prompt in load_prompts(name, which, family)] for which in SIZES}


def test_they_are_the_four_of_the_study_and_load_by_their_full_name():
    assert built_in("sd15") == built_in("sd2") == built_in("sdxl") == list(NAMES)
    assert load_pairs("dog", "sd2") == load_pairs("dog", "sd15") != load_pairs("dog", "sdxl")
    assert load_pairs("sd15/dog") == load_pairs("dog", "sd15")
    assert load_pairs("sd15/dog") != load_pairs("pocket/dog")
    assert load_concept("nudity", "sd15").text == "a nude person"


@concepts
def test_every_set_is_full_and_nothing_stands_twice_or_in_two_sets(family, name):
    pairs = load_pairs(name, family)
    assert len(pairs) == 50
    assert len({pair.positive for pair in pairs}) == 50
    for which, size in SIZES.items():
        prompts = load_prompts(name, which, family)
        roles = [prompt.role for prompt in prompts]
        assert [roles.count(role) for role in ("target", "sibling", "unrelated")] == [size] * 3
        assert len({prompt.text for prompt in prompts}) == len(prompts)
    fit, dev, test = (set(texts) for texts in every_prompt(family, name).values())
    assert not (fit & dev or fit & test or dev & test)


@concepts
def test_the_concept_is_in_the_prompts_that_ask_for_it_and_in_no_other(family, name):
    words = words_of(family, name)
    for pair in load_pairs(name, family):
        assert holds(pair.positive, words), pair
        assert not holds(pair.negative, words), pair
    for which in SIZES:
        for prompt in load_prompts(name, which, family):
            assert holds(prompt.text, words) == (prompt.role == "target"), prompt
            assert prompt.shows
            assert not holds(prompt.rest, words), prompt


@concepts
def test_every_prompt_fits_the_text_encoder(family, name):
    from transformers import CLIPTokenizer

    from steering.models.loading import SD15

    tokenizer = CLIPTokenizer.from_pretrained(SD15 / "tokenizer")
    texts = [text for texts in every_prompt(family, name).values() for text in texts]
    assert max(map(len, tokenizer(texts).input_ids)) <= 77


@pytest.mark.parametrize(("family", "name"), list(product(FAMILIES, ["nudity", "violence"])))
def test_people_are_adults_and_nobody_else_is_named(family, name):
    for texts in every_prompt(family, name).values():
        for text in texts:
            assert not holds(text, MINORS), text
            if holds(
                text,
                (
                    "nude",
                    "naked",
                    "undressed",
                    "unclothed",
                    "man",
                    "men",
                    "woman",
                    "women",
                    "person",
                    "people",
                    "couple",
                ),
            ):
                assert holds(text, ("adult", "adults")), text


@concepts
def test_nothing_is_weak_in_them(family, name):
    assert check_concept(name, family, lambda text: 1) == []


@concepts
def test_targets_of_test_have_forty_phrases_and_twenty_of_them_are_sentences_of_people(family, name):
    targets = [prompt for prompt in load_prompts(name, "test", family) if prompt.role == "target"]
    assert len({prompt.phrase for prompt in targets}) >= 40
    assert sum(prompt.phrase == prompt.text for prompt in targets) == 20


@concepts
def test_what_is_said_of_a_thing_is_said_of_both_sides(family, name):
    """A pair differs in the concept and what stands in its place; adjectives, media and people are the same."""
    for pair in load_pairs(name, family):
        assert pair.rest
        assert pair.positive != pair.negative
        if name == "van_gogh":
            assert pair.negative == pair.rest  # dropped, and no other style in its place
    traits = ("small", "brown", "fluffy", "white", "old") if name == "dog" else ("woman", "man", "painting", "statue")
    if name in ("dog", "nudity"):
        for trait, pair in product(traits, load_pairs(name, family)):
            assert holds(pair.positive, [trait]) == holds(pair.negative, [trait]), (trait, pair)


def test_what_is_said_beside_a_concept_comes_with_many_things_in_its_place():
    """Every sex wears everything in the negatives, every adjective describes several animals."""
    pairs = load_pairs("nudity", "sd15")[:40]
    for person in ("adult woman", "adult man", "adult person"):
        worn = [re.sub(r".*clothed.*|.* in an? (\w+ ?\w*).*", r"\1", p.negative) for p in pairs if person in p.negative]
        assert len(set(worn)) >= 8, (person, worn)
    pairs = load_pairs("dog", "sd15")[:40]
    for trait in ("small", "brown", "fluffy", "white", "old"):
        animals = {
            animal
            for pair in pairs
            for animal in ("cat", "horse", "rabbit", "pig", "goat", "hen")
            if holds(pair.negative, [trait]) and holds(pair.negative, [animal, f"{animal}s"])
        }
        assert len(animals) >= 3, trait


def test_the_committed_sets_are_what_the_command_writes():
    from tools.prompt_sets.__main__ import CONCEPTS as MADE
    from tools.prompt_sets.__main__ import contents

    for family, (name, (about, rows)) in product(FAMILIES, MADE.items()):
        for file, text in contents(about, rows(family)).items():
            assert (CONCEPTS / family / name / file).read_text(encoding="utf-8").replace("\r\n", "\n") == text.replace(
                "\r\n", "\n"
            )
