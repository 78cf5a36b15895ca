import numpy as np

from steering.concepts.prompts import Prompt, load_concept
from steering.evaluate.metrics import clip_change, measure, percent_change, root_mean_square


def test_percentages_follow_the_study():
    original, steered = np.array([0.0, 1.0]), np.array([0.5, 0.0])
    assert percent_change(steered, original).tolist() == [50.0, -50.0]
    assert clip_change(steered, original) == {"weakest": 50.0, "mean": 0.0, "strongest": -50.0}


def test_measurements_of_rendered_scenes():
    from steering.pocket.scenes import Scene, draw

    rng = np.random.default_rng(0)
    images = np.stack([draw(Scene(objects, "beach"), rng) for objects in (("dog",), ("cat",), ("dog", "cat"))])
    prompts = [
        Prompt("target", f"a {what} on the beach", tuple(what.split(" and a ")))
        for what in ("dog", "cat", "dog and a cat")
    ]
    measured = measure(images, prompts, load_concept("dog"))
    assert measured.presence[0] > 80 > 20 > measured.presence[1]
    assert (measured.kept > 80).all()
    assert np.isnan(measured.rest[0])
    assert measured.rest[2] > 80
    assert measured.features.shape == (3, 64)


def test_the_change_of_a_picture_is_in_grey_levels_and_does_not_wrap():
    dark, light = np.full((2, 4, 4, 3), 10, np.uint8), np.full((2, 4, 4, 3), 250, np.uint8)
    np.testing.assert_allclose(root_mean_square(dark, light), 240)
    np.testing.assert_allclose(root_mean_square(light, light), 0)
