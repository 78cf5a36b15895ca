import re
from itertools import combinations

import pytest

from steering.concepts import word_lists
from steering.concepts.checking import MINORS
from steering.concepts.word_lists import BEARERS, COMPANIONS, FRAMES, PLACES, SPLITS, STYLED, SUBJECTS, THINGS


def lists():
    """Every list of words, by name."""
    for name, value in vars(word_lists).items():
        if name.isupper() and isinstance(value, tuple):
            yield name, value
        elif name.isupper() and hasattr(value, "items"):
            yield from ((f"{name} {key}", part) for key, part in value.items() if isinstance(part, tuple))


@pytest.mark.parametrize(("name", "words"), list(lists()))
def test_a_list_holds_each_word_once_and_none_of_minors(name, words):
    assert len(set(words)) == len(words) > 1
    for word in words:
        assert word == word.strip()
        assert not MINORS & set(re.findall(r"[a-z]+", word.lower()))


def test_fitting_choosing_and_reporting_share_no_place_wording_or_subject():
    groups = [PLACES, COMPANIONS, FRAMES, SUBJECTS, *STYLED.values(), *BEARERS.values()]
    for group in groups:
        assert tuple(group) == SPLITS
        for one, other in combinations(SPLITS, 2):
            assert not set(group[one]) & set(group[other])


def test_a_thing_is_in_one_group():
    every = [thing for group in THINGS.values() for thing in group]
    assert len(set(every)) == len(every)
    assert not set(every) & {beside for part in COMPANIONS.values() for beside in part}  # which would be told apart
    assert min(map(len, THINGS.values())) >= 8  # enough for both halves of siblings
