import numpy as np
import pytest

from steering.pocket import world
from steering.pocket.backgrounds import paint
from steering.pocket.debris import BLURRED, MASKS, VISIBLE, WAYS, broken_scene, in_pieces, mottled, spotted
from steering.pocket.kinds import picture
from steering.pocket.world import Scene


def examples(count, **scene):
    rng = np.random.default_rng(0)
    return [
        broken_scene(Scene(**{"objects": ("dog", "key"), "background": "beach", **scene}), rng) for _ in range(count)
    ]


def test_every_way_of_breaking_is_drawn_and_named():
    made = examples(120)
    assert {one.how for one in made} == set(WAYS)
    assert {one.thing for one in made} == {"dog", "key"}
    assert all(0 <= one.left <= 1 for one in made)
    assert all((one.picture.shape, one.picture.dtype) == ((128, 128, 3), np.uint8) for one in made)


@pytest.mark.parametrize("style", world.LOOKS)
def test_what_is_broken_differs_from_the_whole_and_from_nothing(style):
    """The same generator's background and places, so that only the breaking differs."""
    for seed in range(6):
        scene = Scene(("dog",), "meadow", style)
        broken = broken_scene(scene, np.random.default_rng(seed)).picture
        assert broken.std() > 5
    plain = [broken_scene(Scene(("dog",), "meadow"), np.random.default_rng(seed)) for seed in range(20)]
    for seed, one in enumerate(plain):
        whole = world.draw(Scene(("dog",), "meadow"), np.random.default_rng(seed)).astype(int)
        share = (np.abs(one.picture - whole).max(-1) > 25).mean()
        assert share > VISIBLE / 2  # of the first try; a second one has another place
        assert share < 0.6  # the place around it stays


@pytest.mark.parametrize("how", MASKS)
def test_masks_leave_the_share_they_say(how):
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(40):
        thing = world.places(Scene(("apple",), "snow"), rng)[0]
        mask, left = MASKS[how](rng, thing)
        assert mask.shape == (128, 128)
        assert mask.min() >= 0 and mask.max() <= 1
        y, x = np.mgrid[0:128, 0:128]
        disc = np.hypot(x - thing.x, y - thing.y) < thing.side / 2
        shares.append((mask[disc].mean(), left))
    seen, said = np.array(shares).T
    assert abs(seen - said).mean() < 0.16  # of a disc in the thing's place, which the thing does not fill
    assert np.corrcoef(seen, said)[0, 1] > 0.5


def test_pieces_hold_the_same_colours_in_another_order():
    drawing = picture("frog", "noto/frog")
    mixed = in_pieces(drawing, np.random.default_rng(0), 3)
    square = np.asarray(drawing.resize(mixed.size))
    assert not np.array_equal(np.asarray(mixed), square)
    assert np.array_equal(np.sort(np.asarray(mixed).reshape(-1, 4), 0), np.sort(square.reshape(-1, 4), 0))


@pytest.mark.parametrize("how", BLURRED)
def test_a_blur_stays_near_the_thing_and_softens_it(how):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:128, 0:128]
    softer = []
    for _ in range(20):
        thing = world.places(Scene(("cat",), "snow"), rng)[0]
        whole = np.full((128, 128, 3), 200, np.float32)
        world.paste(whole, thing)
        broken = BLURRED[how][0](whole, rng, thing)
        moved = np.abs(broken - whole).max(-1)
        assert moved.max() > 25
        assert moved[np.hypot(x - thing.x, y - thing.y) > thing.side].max(initial=0) < 1
        softer.append(np.abs(np.diff(broken, axis=0)).sum() / np.abs(np.diff(whole, axis=0)).sum())
    assert np.mean(softer) < 0.95


def test_mottling_leaves_the_scene_and_is_coarser_than_grain():
    rng = np.random.default_rng(0)
    whole = world.draw(Scene(("dog",), "snow"), rng)
    for seed in range(12):
        made = mottled(whole, np.random.default_rng(seed)).astype(float)
        marks = made - whole
        assert 2 < np.abs(marks).mean() < 25  # grey levels: visible, and the scene can be told
        assert np.abs(np.diff(marks, axis=0)).mean() < 0.6 * np.abs(marks).mean()  # neighbours go together


def test_a_spot_lies_on_the_thing_of_a_whole_scene():
    for seed in range(20):
        scene = Scene(("key",), "beach")
        drawn, spot = spotted(scene, np.random.default_rng(seed))
        whole = world.draw(scene, np.random.default_rng(seed))
        np.testing.assert_allclose(drawn.astype(int), whole, atol=1)  # rounded once more on the way
        rng = np.random.default_rng(seed)
        paint(scene.background, rng)
        (thing,) = world.places(scene, rng)
        assert np.hypot(spot[0] - thing.x, spot[1] - thing.y) <= 0.45 * thing.side
        assert 0.15 * thing.side <= spot[2] <= 0.33 * thing.side
