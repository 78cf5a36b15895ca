import numpy as np
import pytest

from steering.pocket import scenes
from steering.pocket.scenes import BACKGROUNDS, HELD_OUT, OBJECTS, STYLES, Scene, training_example


def test_a_picture_is_made_by_its_seed_and_number_alone():
    for index in range(12):
        first, again = training_example(3, index), training_example(3, index)
        assert np.array_equal(first[0], again[0])
        assert first[1:] == again[1:]
        assert first[0].shape == (128, 128, 3)
        assert first[0].dtype == np.uint8
    assert not np.array_equal(training_example(3, 0)[0], training_example(4, 0)[0])


def test_the_world_is_as_large_as_promised():
    assert len(OBJECTS) >= 12
    assert len(BACKGROUNDS) >= 6
    assert {"dog", "cat", "knife", "bomb"} <= set(OBJECTS)
    assert {"van_gogh", "sketch"} < set(STYLES)
    assert len(HELD_OUT) == 36


def test_training_never_shows_what_is_held_out():
    drawn = [training_example(0, index)[2] for index in range(3000)]
    shown = {(name, scene.background, scene.style) for scene in drawn for name in scene.objects}
    assert not shown & HELD_OUT
    assert len(shown) > 150  # of 180 that may be shown: the check is not empty
    assert {len(scene.objects) for scene in drawn} == {0, 1, 2}
    assert training_example(0, 1, held_out=True)[2].held_out


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_changes_the_picture_in_every_style(name, style):
    def draw(objects):
        return scenes.draw(Scene(objects, "beach", style), np.random.default_rng(0)).astype(int)

    assert (np.abs(draw((name,)) - draw(())).max(-1) > 40).mean() > 0.02


def test_the_first_object_stands_on_the_left():
    def moved(objects):
        with_objects = scenes.draw(Scene(objects, "snow"), np.random.default_rng(0)).astype(int)
        empty = scenes.draw(Scene((), "snow"), np.random.default_rng(0)).astype(int)
        return np.abs(with_objects - empty).sum((0, 2))

    both, swapped = moved(("apple", "bomb")), moved(("bomb", "apple"))
    assert both[:64].sum() > 0 < both[64:].sum()
    assert not np.array_equal(both, swapped)


def test_captions_name_everything_and_sets_share_no_sentence():
    scene = Scene(("apple", "dog"), "night", "van_gogh")
    texts = {scenes.caption(scene, np.random.default_rng(i)) for i in range(100)}
    assert all("an apple" in t and "a dog" in t and "at night" in t and "Van Gogh" in t for t in texts)
    for sets in scenes.CAPTIONS.values():
        every = [text for texts in sets.values() for text in texts]
        assert len(every) == len(set(every))


@pytest.mark.parametrize(
    "bad", [(("unicorn",), "beach"), (("dog", "cat", "fish"), "beach"), ((), "moon"), ((), "beach", "x")]
)
def test_unknown_scenes_are_refused(bad):
    with pytest.raises(ValueError):
        Scene(*bad)
