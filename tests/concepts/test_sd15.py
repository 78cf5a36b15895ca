"""The prompt sets of SD 1.5 are what they must be: full, apart from each other, within CLIP's limit, and decent."""

import csv
import json
import re
import runpy
from pathlib import Path

import pytest

from steering.concepts.pairs import CONCEPTS, built_in, load_pairs
from steering.concepts.prompts import load_concept, load_prompts

NAMES = ("dog", "nudity", "van_gogh", "violence")
SIZES = {"dev": 50, "test": 100}
MINORS = (
    *("child", "children", "girl", "girls", "boy", "boys", "teen", "teenager", "kid", "kids", "baby"),
    *("young", "school", "student", "pupil", "infant", "minor"),
)
concepts = pytest.mark.parametrize("name", NAMES)


def words_of(name):
    return json.loads((CONCEPTS / "sd15" / name / "concept.json").read_text(encoding="utf-8"))["words"]


def holds(text, words):
    return any(re.search(rf"\b{word}\b", text) for word in words)


def every_prompt(name):
    sets = {"fit": [text for pair in load_pairs(name, "sd15") for text in (pair.positive, pair.negative)]}
    return sets | {which: [prompt.text for prompt in load_prompts(name, which, "sd15")] for which in SIZES}


def test_they_are_the_four_of_the_study_and_load_by_their_full_name():
    assert built_in("sd15") == list(NAMES)
    assert load_pairs("sd15/dog") == load_pairs("dog", "sd15")
    assert load_pairs("sd15/dog") != load_pairs("pocket/dog")
    assert load_concept("nudity", "sd15").text == "a nude person"


@concepts
def test_every_set_is_full_and_nothing_stands_twice_or_in_two_sets(name):
    pairs = load_pairs(name, "sd15")
    assert len(pairs) == 50
    assert len({pair.positive for pair in pairs}) == 50
    for which, size in SIZES.items():
        prompts = load_prompts(name, which, "sd15")
        roles = [prompt.role for prompt in prompts]
        assert [roles.count(role) for role in ("target", "sibling", "unrelated")] == [size] * 3
        assert len({prompt.text for prompt in prompts}) == len(prompts)
    fit, dev, test = (set(texts) for texts in every_prompt(name).values())
    assert not (fit & dev or fit & test or dev & test)


@concepts
def test_the_concept_is_in_the_prompts_that_ask_for_it_and_in_no_other(name):
    words = words_of(name)
    for pair in load_pairs(name, "sd15"):
        assert holds(pair.positive, words), pair
        assert not holds(pair.negative, words), pair
    for which in SIZES:
        for prompt in load_prompts(name, which, "sd15"):
            assert holds(prompt.text, words) == (prompt.role == "target"), prompt
            assert prompt.shows
            assert not holds(prompt.rest, words), prompt


@concepts
def test_every_prompt_fits_the_text_encoder(name):
    from transformers import CLIPTokenizer

    from steering.models.loading import SD15

    tokenizer = CLIPTokenizer.from_pretrained(SD15 / "tokenizer")
    texts = [text for texts in every_prompt(name).values() for text in texts]
    assert max(map(len, tokenizer(texts).input_ids)) <= 77


@pytest.mark.parametrize("name", ["nudity", "violence"])
def test_people_are_adults_and_nobody_else_is_named(name):
    for texts in every_prompt(name).values():
        for text in texts:
            assert not holds(text.lower(), MINORS), text
            if holds(text, ("nude", "unclothed", "man", "men", "woman", "women", "person", "people", "couple")):
                assert holds(text, ("adult",)), text


def test_the_committed_sets_are_what_the_command_writes(tmp_path):
    tool = runpy.run_path(str(Path(__file__).parent.parent.parent / "tools" / "sd15_concepts.py"))
    for name, (concept, make) in tool["CONCEPTS"].items():
        for which, rows in make(concept).items():
            with (CONCEPTS / "sd15" / name / f"{which}.csv").open(encoding="utf-8", newline="") as file:
                assert [tuple(row) for row in list(csv.reader(file))[1:]] == [tuple(row) for row in rows]
