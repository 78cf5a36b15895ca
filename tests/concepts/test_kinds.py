from random import Random

import pytest

from steering.concepts.kinds import KINDS, LEAST_UNRELATED, MOST_ALIKE, alike
from steering.concepts.meanings import covers
from steering.concepts.request import KNOWN
from steering.concepts.word_lists import ARTISTS, THINGS

EXAMPLES = {"object": "umbrella", "style": "Claude Monet", "attribute": "smiling", "scene": "at night"}


@pytest.mark.parametrize("kind", KINDS)
def test_things_alike_are_of_the_kind_and_those_of_the_report_are_new(kind):
    word = EXAMPLES[kind]
    found = alike(word, kind, (), Random(word))
    assert 1 <= len(found.seen) <= MOST_ALIKE
    assert 1 <= len(found.new) <= MOST_ALIKE
    assert not set(found.seen) & set(found.new)
    assert set(found.seen) | set(found.new) <= set(KNOWN[kind]) - {word}


@pytest.mark.parametrize("word", [noun for group in THINGS.values() for noun in group])
def test_what_is_far_is_nothing_like_it_and_enough_for_two_parts(word):
    found = alike(word, "object", (), Random(word))
    assert len(found.far) >= LEAST_UNRELATED
    mine = next(group for group in THINGS.values() if word in group)
    assert not set(found.far) & {word, *mine}
    assert not any(covers(word, other) for other in (*found.seen, *found.new, *found.far))


def test_those_given_come_first_and_known_ones_fill_the_report():
    found = alike("dog", "object", ("wolf",), Random(0))
    assert found.seen == ("wolf",)
    assert found.new
    assert "wolf" not in found.new
    four = alike("dog", "object", ("wolf", "fox", "cat", "goat"), Random(0))
    assert (four.seen, four.new) == (("wolf", "fox"), ("cat", "goat"))


def test_of_an_unknown_word_each_kind_of_thing_gives_one_but_weapons():
    found = alike("unicorn", "object", (), Random(0))
    groups = [next(name for name, group in THINGS.items() if other in group) for other in (*found.seen, *found.new)]
    assert len(set(groups)) == len(groups)
    assert "weapons" not in groups


def test_an_unknown_artist_is_told_apart_from_artists():
    found = alike("Jane Doe", "style", (), Random(0))
    assert set(found.seen) | set(found.new) <= set(ARTISTS)
