import numpy as np
import pytest

from steering.errors import SteeringError
from steering.pocket import kinds, world
from steering.pocket.world import BACKGROUNDS, HELD_OUT, LOOKS, OBJECTS, Scene, training_example


def test_a_picture_is_made_by_its_seed_and_number_alone():
    for index in range(12):
        first, again = training_example(3, index), training_example(3, index)
        assert np.array_equal(first[0], again[0])
        assert first[1:] == again[1:]
        assert (first[0].shape, first[0].dtype) == ((128, 128, 3), np.uint8)
    assert not np.array_equal(training_example(3, 0)[0], training_example(4, 0)[0])


def test_the_world_is_as_large_as_promised():
    assert len(OBJECTS) >= 12
    assert len(BACKGROUNDS) >= 6
    assert len(LOOKS) >= 4
    assert all(len(kind.drawings) >= 2 and kind.unseen for kind in kinds.KINDS.values())
    assert len(kinds.KINDS["dog"].drawings) >= 3
    assert not {d for kind in kinds.KINDS.values() for d in kind.drawings} & {
        d for kind in kinds.KINDS.values() for d in kind.unseen
    }


def test_training_never_shows_what_is_held_out():
    rng = np.random.default_rng(0)
    scenes = [world.sample(rng) for _ in range(6000)]
    shown = {(name, scene.background, scene.style) for scene in scenes for name in scene.objects}
    assert not shown & HELD_OUT
    assert len(shown) > 250  # of 280 that may be shown: the check is not empty
    assert {len(scene.objects) for scene in scenes} == {0, 1, 2, 3}
    assert any(scene.small for scene in scenes)
    assert world.sample(rng, held_out=True).held_out


@pytest.mark.parametrize("style", LOOKS)
@pytest.mark.parametrize("name", OBJECTS)
def test_every_thing_changes_the_picture_in_every_style(name, style):
    def draw(objects):
        return world.draw(Scene(objects, "beach", style), np.random.default_rng(0)).astype(int)

    # The style's own random strokes differ a little once a thing has been placed, so ask for a large change.
    assert (np.abs(draw((name,)) - draw(())).max(-1) > 40).mean() > 0.02


def test_things_stand_in_their_order_and_keep_to_the_picture():
    for seed in range(20):
        placed = world.places(Scene(("apple", "bomb", "key"), "snow"), np.random.default_rng(seed), variety=2)
        assert [thing.x for thing in placed] == sorted(thing.x for thing in placed)
        assert all(thing.side / 2 < thing.y < 128 for thing in placed)


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        ({"objects": ("unicorn",), "background": "beach"}, "at most three of dog"),
        ({"objects": ("dog",) * 4, "background": "beach"}, "at most three of dog"),
        ({"objects": (), "background": "moon"}, "'moon' is not one of meadow"),
        ({"objects": (), "background": "beach", "style": "cubist"}, "'cubist' is not one of plain"),
        ({"objects": ("dog", "cat"), "background": "beach", "small": True}, "for a single thing"),
    ],
)
def test_other_scenes_are_refused(scene, said):
    with pytest.raises(SteeringError, match=said):
        Scene(**scene)
