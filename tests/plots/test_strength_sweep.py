import numpy as np
import pytest

from steering.plots.strength_sweep import draw_sweep, judge_labels, judged_of, parse_strengths
from steering.pocket import world
from steering.pocket.backgrounds import SIZE
from steering.pocket.world import Scene


def draw(strength):
    """A dog that fades into the plain scene as strength rises to 1."""
    dog, empty = (world.draw(Scene(objects, "beach"), np.random.default_rng(3)) for objects in (("dog",), ("tree",)))
    mixed = (1 - strength) * dog.astype(float) + strength * empty
    return np.stack([mixed.round().astype(np.uint8)] * 2)


def test_a_strip_measures_every_picture_against_the_first():
    made = draw_sweep(draw, (0.0, 0.5, 1.0), ("dog",))
    assert made.pictures.shape == (2, 3, SIZE, SIZE, 3)
    assert (made.drift[:, 0] == 0).all()
    assert (np.diff(made.drift) > 0).all()
    assert (made.judged["presence"][:, 0] > 80).all()
    assert (made.judged["presence"][:, 2] < 20).all()
    assert (made.judged["debris"][:, 1] > made.judged["debris"][:, [0, 2]].max(1)).all()  # half a dog, half a tree
    lines = str(made).splitlines()
    assert lines[0].split() == ["strength", "0", "0.5", "1"]
    assert len(lines) == 7
    picture = made.picture()
    assert picture.shape[0] > 2 * SIZE
    assert picture.shape[1] > 3 * SIZE
    without = draw_sweep(draw, (0.0, 1.0))
    assert without.judged == {}
    assert without.picture().shape[0] < picture.shape[0]  # one line less under each


def test_presence_is_judged_only_where_the_judge_knows_pictures_and_concept():
    assert judge_labels("violence", "pocket") == ("knife", "bomb")
    assert judge_labels("cat", "pocket") == ("cat",)  # pairs only, but a thing that the judge knows
    assert judge_labels("dog - cat", "pocket") == judge_labels("dog", "sd15") == ()
    # A name from a file is no path.
    assert judge_labels("vectors/concepts/pocket/dog", "pocket") == judge_labels("x" * 300, "pocket") == ()
    assert judged_of(np.zeros((1, 64, 64, 3), np.uint8), ("dog",)) == {}


@pytest.mark.parametrize(("text", "expected"), [("0, 1.5;-1\n2", [0, 1.5, -1, 2]), ("3", [3])])
def test_strengths_are_read_in_any_form(text, expected):
    assert parse_strengths(text) == expected


@pytest.mark.parametrize("bad", ["", "one", "1, nan", "1 2 x", "inf"])
def test_strengths_that_are_no_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="numbers separated by commas"):
        parse_strengths(bad)
