"""What words have to do with each other, and that sets keep nothing that is the concept by another name."""

import csv
import io

import pytest

from steering.concepts.meanings import KINDS_OF, SAME, SENSES, called, covers, holds, is_kind, senses_of
from steering.concepts.request import Request, checked
from steering.concepts.word_lists import THINGS
from steering.concepts.writing import write_set
from steering.errors import SteeringError

KNOWN = {thing for group in THINGS.values() for thing in group}


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("flower", "rose"),
        ("rose", "flower"),
        ("flowers", "rose"),
        ("couch", "sofa"),
        ("People", "woman"),
        ("weapon", "sword"),
        ("dog", "puppy"),
        ("dog", "dogs"),
    ],
)
def test_a_thing_covers_its_kinds_and_what_means_the_same(word, other):
    assert covers(word, other)
    assert covers(other, word)


@pytest.mark.parametrize(
    ("word", "other"), [("rose", "tulip"), ("dog", "cat"), ("sofa", "armchair"), ("cat", "category")]
)
def test_things_that_are_merely_alike_do_not(word, other):
    assert not covers(word, other)


@pytest.mark.parametrize(
    ("thing", "word"),
    [
        ("hen", "bird"),
        ("puppies", "animal"),
        ("bird", "animal"),
        ("seat", "furniture"),
        ("shoes", "clothes"),
        ("lorry", "vehicle"),
        ("smartphone", "device"),
        ("granny", "lady"),
    ],
)
def test_a_kind_of_a_kind_and_another_word_for_it_are_kinds_and_the_general_is_none(thing, word):
    assert is_kind(thing, word)
    assert not is_kind(word, thing)


def test_a_text_holds_what_is_a_kind_of_a_thing():
    assert holds("in an empty barn, eye level", "buildings")
    assert not holds("in a meadow", "building")
    assert not holds("in a barn", "castle")


def test_the_tables_name_things_that_sets_are_written_with():
    assert {thing for kinds in KINDS_OF.values() for thing in kinds} <= KNOWN
    assert all(thing == thing.casefold() for group in SAME for thing in group)
    assert all(len(group) > 1 for group in SAME)
    assert all(len(senses) == 2 and word not in senses for word, senses in SENSES.items())


def test_a_word_is_called_as_the_lists_call_it():
    said = {"couch": "sofa", "sofa": "sofa", "lorry": "truck", "knives": "knife", "wolves": "wolf", "comet": "comet"}
    assert {word: called(word) for word in said} == said


def said(written, name):
    return list(csv.DictReader(io.StringIO(written.files[name])))


@pytest.mark.parametrize("word", [*KINDS_OF, *(group[1] for group in SAME)])
def test_no_set_keeps_what_is_the_concept_by_another_name(word):
    word = checked(Request(word, "object")).word  # as the lists spell it
    written = write_set(Request(word, "object"))
    others = {*written.alike.seen, *written.alike.new, *written.alike.far}
    assert not [other for other in others if covers(word, other)]
    assert written.alike.seen and written.alike.new
    assert len(written.alike.far) >= 20
    for which in ("dev.csv", "test.csv"):
        assert {row["role"] for row in said(written, which)} == {"target", "sibling", "unrelated"}


def test_what_means_the_same_has_the_same_things_beside_it():
    couch = write_set(Request("couch"))
    assert couch.known
    assert {*couch.alike.seen, *couch.alike.new} <= set(THINGS["furniture"]) - {"sofa"}


def test_siblings_that_are_the_concept_are_refused():
    with pytest.raises(
        SteeringError, match="'rose' is named among the siblings of 'flower', and is it by another name"
    ):
        checked(Request("flower", siblings=("fern", "rose")))
    with pytest.raises(SteeringError, match="'hot dog' is named among the siblings of 'dog' and shares its words"):
        checked(Request("dog", siblings=("hot dog",)))
    for word, other in (("rose", "tulip"), ("nurse", "woman"), ("helmet", "hat")):  # the more general may stay
        assert checked(Request(word, siblings=(other,))).siblings == (other,)


@pytest.mark.parametrize(
    ("word", "kept"), [("monochrome", "black and white"), ("happy", "smiling"), ("in winter", "in the snow")]
)
def test_styles_traits_and_scenes_have_other_names_too(word, kept):
    written = write_set(Request(word))
    assert kept not in {*written.alike.seen, *written.alike.new}


def test_the_places_of_a_set_hold_no_kind_of_the_concept():
    for name in ("fit.csv", "dev.csv", "test.csv"):
        for row in said(write_set(Request("building")), name):
            text = row["negative"] if name == "fit.csv" else row["prompt"]
            assert row.get("role") == "target" or not holds(text, "building"), text


def test_a_word_of_several_senses_says_which_words_mean_one():
    assert write_set(Request("bat")).senses == ("fruit bat", "baseball bat")
    assert senses_of("Bats") == ("fruit bat", "baseball bat")
    assert write_set(Request("fruit bat")).senses == ()
