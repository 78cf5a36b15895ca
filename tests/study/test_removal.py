from dataclasses import replace

import numpy as np
import pytest

from steering.study.removal import SPACES, counterfactual, instead

from .test_measurements import measurements

NAMES = ["p0", "p1", "p2"]
SPACE = next(iter(SPACES))


def side(features, rests=("a beach",) * 3):
    made = measurements(NAMES, **{SPACE: np.array(features, float)})
    items = tuple(
        replace(item, prompt=replace(item.prompt, rest=rest)) for item, rest in zip(made.items, rests, strict=True)
    )
    return replace(made, items=items)


ORIGINAL = [[1, 0], [1, 0], [1, 0]]
WITHOUT = [[0, 1], [0, 1], [0, 1]]


def test_the_original_is_one_away_and_the_counterfactual_itself_nothing():
    original, without = side(ORIGINAL), side(WITHOUT)
    assert counterfactual(original, original, without, SPACE) == pytest.approx([1, 1, 1])
    assert counterfactual(without, original, without, SPACE) == pytest.approx([0, 0, 0])
    half = side([[0.5**0.5, 0.5**0.5]] * 3)
    assert counterfactual(half, original, without, SPACE) == pytest.approx([np.sqrt(2 - 2**0.5) / 2**0.5] * 3)


def test_prompts_without_a_rest_and_pictures_that_are_their_counterfactual_already_do_not_count():
    original = side([[1, 0], [1, 0], [0, 1]], rests=("a beach", "", "a beach"))
    steered, without = side(ORIGINAL, rests=("a beach", "", "a beach")), side(WITHOUT)
    found = counterfactual(steered, original, without, SPACE)
    assert found[0] == pytest.approx(1)
    assert np.isnan(found[1:]).all()


def test_distances_are_in_units_of_the_mean_original_so_that_one_small_one_does_not_rule():
    near = [[np.cos(1.5), np.sin(1.5)], [1, 0], [1, 0]]  # the first original is nearly its counterfactual
    found = counterfactual(side(ORIGINAL), side(near), side(WITHOUT), SPACE)
    assert found.max() < 1.6
    assert found.mean() > 1


def test_nothing_is_said_where_features_or_rests_are_missing():
    original, without = side(ORIGINAL), side(WITHOUT)
    assert counterfactual(original, original, without, "clip_features") is None
    assert counterfactual(side(ORIGINAL, ("",) * 3), original, without, SPACE) is None


def test_what_a_concept_turned_into_is_what_neither_prompt_nor_original_had():
    columns = {"presence": np.array([1.0, 2.0, 3.0, 90.0]), "unasked": np.array(["cat", "cat, fish", "", "frog"])}
    names = [*NAMES, "p3"]
    original = measurements(names, presence=np.full(4, 95.0), unasked=np.array(["", "fish", "key", ""]))
    assert instead(measurements(names, **columns), original) == {"cat": 50, "nothing": 25}  # the last is still there
    assert instead(measurements(names, presence=columns["presence"]), original) == {}
