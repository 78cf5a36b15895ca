from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.study.choice import FINALISTS, TIE, Outcome, choose, most_suppressing, promising
from steering.study.setting import Recipe, Setting


def row(k, clean, loss=0.0, far=0.5, change=1.0, **more):
    setting = Setting(Recipe(k), "precise", 1.0)
    return Outcome(setting, 100 - clean, 0.0, 100.0, clean, far, 100 - clean, loss, 0.0, change, **more)


def test_the_choice_is_of_the_highest_worth():
    assert choose([row(1, 99, 30), row(5, 92, 1), row(8, 80, 0)]).setting.recipe.k == 5


def test_of_settings_that_prompts_cannot_tell_apart_the_one_nearest_to_the_counterfactual_is_taken():
    some = [row(1, 90, far=0.9), row(3, 88, far=0.3), row(5, 90 - TIE - 1, far=0.1)]
    assert choose(some).setting.recipe.k == 3


def test_a_silent_judge_is_not_enough():
    """The least change that silences a judge of presence, with shreds left, loses to a clean removal."""
    shreds = replace(row(1, 5, far=0.8, change=1), presence=0.5, debris=95.0)
    whole = replace(row(3, 90, far=0.2, change=20), presence=8.0, debris=4.0)
    assert choose([shreds, whole]) is whole


def test_of_settings_none_of_which_is_clean_the_most_suppressing_is_not_the_one_that_does_nothing():
    nothing = replace(row(1, 0, loss=0), presence=99.0)
    wrecks = replace(row(10, 0, loss=60), presence=1.0)
    sound = replace(row(5, 0, loss=8), presence=3.0)
    assert choose([nothing, wrecks, sound]) is nothing  # by worth, all removing nothing
    assert most_suppressing([nothing, wrecks, sound]) is sound


def test_a_gain_of_siblings_does_not_make_up_for_what_is_left():
    rows = [row(1, 80, -15), row(3, 90, 0), *(row(k, 10, 0) for k in range(4, 12))]
    best = promising(rows, FINALISTS)
    assert best[0].setting.recipe.k == 3
    assert len(best) == FINALISTS


def test_without_a_judge_of_debris_the_counterfactual_decides_and_without_it_presence():
    unjudged = [replace(row(1, 0, far=0.6), clean=None), replace(row(3, 0, far=0.2), clean=None)]
    assert [one.removed for one in unjudged] == pytest.approx([40, 80])
    assert choose(unjudged).setting.recipe.k == 3
    blind = replace(unjudged[0], counterfactual=None, presence=12.0)
    assert blind.removed == 88


def test_enough_is_a_clean_removal_at_little_cost():
    assert row(3, 90, 5.0).enough
    assert not row(3, 89.9).enough
    assert not row(3, 100, 5.1).enough


def test_an_outcome_is_flat_as_json():
    assert row(3, 98.0, 2.0).to_json() == {
        **{"preset": "precise", "strength": 1.0, "k": 3, "rank": 1, "sites": "per-step", "direction": "mean"},
        **{"presence": 2.0, "debris": 0.0, "kept": 100.0, "clean": 98.0, "counterfactual": 0.5},
        **{"worst": 2.0, "sibling": 2.0, "unrelated": 0.0, "change": 1.0},
    }


@given(st.lists(st.builds(row, st.integers(1, 9), st.floats(0, 100), st.floats(-20, 50), st.floats(0, 2)), min_size=1))
def test_nothing_of_higher_worth_is_beyond_a_tie(outcomes):
    taken = choose(outcomes)
    assert all(one.worth <= taken.worth + TIE for one in outcomes)
    near = [one for one in outcomes if one.worth >= max(o.worth for o in outcomes) - TIE]
    assert all(taken.counterfactual <= one.counterfactual for one in near)
