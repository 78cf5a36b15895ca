import numpy as np

from steering.concepts.prompts import Prompt, load_concept
from steering.evaluate.clip_score import PocketClip
from steering.evaluate.metrics import Batch, ClipScore, judged, percent_change, root_mean_square


def test_percentages_follow_the_study():
    original, steered = np.array([0.0, 1.0]), np.array([0.5, 0.0])
    assert percent_change(steered, original).tolist() == [50.0, -50.0]
    change = percent_change(steered, original)
    assert (change.max(), change.mean(), change.min()) == (50.0, 0.0, -50.0)


def test_measurements_of_rendered_scenes():
    from steering.pocket.world import Scene, draw

    rng = np.random.default_rng(0)
    images = np.stack([draw(Scene(objects, "beach"), rng) for objects in (("dog",), ("cat",), ("dog", "cat"))])
    prompts = [
        Prompt("target", f"a {what} on the beach", tuple(what.split(" and a ")))
        for what in ("dog", "cat", "dog and a cat")
    ]
    concept = load_concept("dog")
    measured = judged(images, prompts, concept)
    assert measured["presence"][0] > 80 > 20 > measured["presence"][1]
    assert (measured["kept"] > 80).all()
    assert np.isnan(measured["rest"][0])
    assert measured["rest"][2] > 80
    assert ClipScore(PocketClip()).measure(Batch(images, images, prompts, concept))["clip_features"].shape == (3, 64)


def test_the_change_of_a_picture_is_in_grey_levels_and_does_not_wrap():
    dark, light = np.full((2, 4, 4, 3), 10, np.uint8), np.full((2, 4, 4, 3), 250, np.uint8)
    np.testing.assert_allclose(root_mean_square(dark, light), 240)
    np.testing.assert_allclose(root_mean_square(light, light), 0)
