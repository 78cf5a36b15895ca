"""What words have to do with each other, and that sets keep nothing that is the concept by another name."""

import csv
import io

import pytest

from steering.concepts.meanings import KINDS_OF, SAME, SENSES, called, covers
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


def test_the_tables_name_things_that_sets_are_written_with():
    assert {thing for kinds in KINDS_OF.values() for thing in kinds} <= KNOWN
    assert all(len(group) > 1 for group in SAME)
    assert all(len(senses) == 2 and word not in senses for word, senses in SENSES.items())


def test_a_word_is_called_as_the_lists_call_it():
    assert [called(word) for word in ("couch", "sofa", "lorry", "comet")] == ["sofa", "sofa", "truck", "comet"]


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
    assert checked(Request("rose", siblings=("tulip",))).siblings == ("tulip",)


def test_a_word_of_several_senses_says_which_words_mean_one():
    assert write_set(Request("bat")).senses == ("fruit bat", "baseball bat")
    assert write_set(Request("fruit bat")).senses == ()
