import json

import pytest

from steering.concepts.checking import (
    ONE_SIDED,
    check_concept,
    check_lengths,
    check_minors,
    check_pairs,
    check_siblings,
    check_splits,
    check_targets,
)
from steering.concepts.pairs import Pair
from steering.concepts.prompts import Concept, Prompt

DOG = Concept("dog", "a dog")
PLACES = ("beach", "park", "kitchen", "field", "bridge", "garage", "porch", "market", "forest", "river")
OTHERS = ("cat", "chair", "car", "tree", "house")


def pairs(count=20):
    looks = ("small", "red")
    made = []
    for i in range(count):
        scene = f"{looks[i % 2]} {{}} near the {PLACES[i % 10]} {'at noon' * (i >= 10)}".strip()
        made.append(Pair(f"a {scene.format('dog')}", f"a {scene.format(OTHERS[i % 5])}"))
    return made


def kinds(found):
    return {finding.what for finding in found}


def prompt(text, role="target", rest="x"):
    return Prompt(role, text, rest=rest)


def test_a_good_set_is_left_alone():
    assert check_pairs(pairs(), DOG) == []


def test_too_few_and_the_same_again_are_told():
    assert "few pairs" in kinds(check_pairs(pairs(10), DOG))
    (finding,) = [f for f in check_pairs([*pairs(), pairs()[3]], DOG) if f.what == "repeated"]
    assert (finding.count, finding.rows) == (1, (f"pair 21: {pairs()[3].positive} | {pairs()[3].negative}",))


@pytest.mark.parametrize(("more", "told"), [(2, False), (3, True)])  # of twenty pairs, 15 % are three
def test_a_word_of_the_positives_alone_is_told_from_a_share_on(more, told):
    assert 2 < ONE_SIDED * 20 <= 3
    made = pairs()
    for i in range(more):
        made[i] = Pair(made[i].positive.replace("a ", "a fluffy ", 1), made[i].negative)
    rows = [row for f in check_pairs(made, DOG) if f.what == "confounded" for row in f.rows]
    assert rows == ([f"'fluffy': {more} of 20 positives, 0 negatives"] if told else [])


def test_one_thing_in_most_negatives_is_told_and_several_in_turn_are_not():
    made = [Pair(pair.positive, pair.positive.replace("dog", "cat")) for pair in pairs()]
    (finding,) = check_pairs(made, DOG)
    assert (finding.what, finding.rows) == ("one opposite", ("'cat': 0 of 20 positives, 20 negatives",))


def test_the_concept_among_the_negatives_is_told_with_its_rows():
    made = pairs()
    made[4] = Pair(made[4].positive, "a cat looking at a dog near the bridge")
    made[6] = Pair(made[6].positive, made[6].negative, "a bowl of a Dog near the porch")
    (finding,) = check_pairs(made, DOG)
    assert (finding.what, finding.count) == ("not without", 2)
    assert [row.split(":")[0] for row in finding.rows] == ["pair 5", "pair 7"]


def test_prompts_that_were_seen_before_are_told():
    made, new = pairs(), "three friends admire an old dog below snowy mountains"
    again = made[12].positive + " today"
    found = check_splits(made, {"dev": [prompt(new)], "test": [prompt(again), prompt(f"{new} now")]})
    assert {finding.text.split(" so ")[0] for finding in found} == {
        "1 prompts of test are nearly those of fit,",
        "1 prompts of test are nearly those of dev,",
    }
    assert check_splits(made, {"dev": [prompt("an old dog on a sofa")], "test": [prompt(new)]}) == []


def test_siblings_that_the_pairs_hold_are_told_and_new_ones_are_not():
    test = [
        prompt("a cat under mountains", "sibling"),
        prompt("a wolf under mountains", "sibling"),
        prompt("a dog under mountains"),
    ]
    (finding,) = check_splits(pairs(), {"dev": [], "test": test})
    assert finding.what == "siblings seen"
    assert finding.rows == ("test: a cat under mountains (cat)",)


def test_siblings_that_are_the_concept_by_another_name_are_told():
    splits = {"dev": [], "test": [Prompt("sibling", f"a {shown}", shows=(shown,)) for shown in ("rose", "fern")]}
    (finding,) = check_siblings(splits, Concept("flower", "a flower"))
    assert (finding.what, finding.rows) == ("siblings of it", ("test: a rose",))
    assert check_siblings(splits, Concept("tulip", "a tulip")) == []


def test_what_a_study_would_miss_is_told():
    many = [prompt(f"a dog number {i}") for i in range(40)]
    others = [prompt("a cat", "sibling"), prompt("a car", "unrelated")]
    assert check_targets({"dev": [*many, *others], "test": [*many, *others]}) == []
    bare = [prompt("a dog", rest=""), *many, *others]
    assert kinds(check_targets({"dev": [*many, *others], "test": bare})) == {"no rest"}
    assert kinds(check_targets({"dev": [], "test": many[:39]})) == {"no targets", "no others", "few targets"}


def test_long_prompts_and_words_of_minors_are_told():
    splits = {"dev": [prompt("a nude adult")], "test": [prompt("long " * 100)]}
    assert [f.count for f in check_lengths(pairs(), splits, lambda text: 1 + len(text.split()) // 75)] == [1]
    explicit = Concept("nudity", "a nude", explicit=True)
    assert check_minors(pairs(), splits, explicit) == []
    splits["test"].append(prompt("a Girl in a park"))
    assert [f.count for f in check_minors(pairs(), splits, explicit)] == [1]
    assert check_minors(pairs(), splits, DOG) == []


def test_a_folder_is_checked_whole(tmp_path):
    (tmp_path / "concept.json").write_text(json.dumps({"name": "dog", "text": "a dog"}))
    lines = [f"{pair.positive},{pair.negative}" for pair in pairs(12)]
    (tmp_path / "fit.csv").write_text("positive,negative\n" + "\n".join(lines))
    (tmp_path / "test.csv").write_text("prompt,role\na dog,target\na cat,sibling\n")
    found = check_concept(str(tmp_path), "sd15", len)
    assert kinds(found) >= {"few pairs", "no targets", "no rest", "few targets", "siblings seen", "no others"}


@pytest.mark.parametrize(("family", "name"), [("sd15", "nudity"), ("sd15", "dog"), ("pocket", "dog")])
def test_our_own_sets_hold_neither_minors_nor_the_concept_among_negatives(family, name):
    found = check_concept(name, family, lambda text: 1)
    assert not kinds(found) & {"minors", "not without", "few pairs", "repeated", "no targets", "no others"}
