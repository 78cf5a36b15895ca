import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.evaluate.metrics import clip_change, frechet_distance, measure, percent_change, root_mean_square
from steering.evaluate.prompts import Prompt, load_concept


def by_eigenvalues(x, y):
    """The textbook form, through eigenvalues of the product of covariances."""
    sx, sy = np.cov(x.T), np.cov(y.T)
    root = np.sqrt(np.maximum(np.linalg.eigvals(sx @ sy).real, 0)).sum()
    return np.square(x.mean(0) - y.mean(0)).sum() + np.trace(sx) + np.trace(sy) - 2 * root


@given(st.integers(0, 1000))
def test_the_nuclear_norm_form_is_the_textbook_form(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(30, 6)), rng.normal(0.5, 2, size=(40, 6))
    assert frechet_distance(x, y) == pytest.approx(by_eigenvalues(x, y), rel=1e-6)  # square roots of rounding errors


def test_a_set_is_at_distance_zero_of_itself_and_a_shift_counts():
    x = np.random.default_rng(0).normal(size=(30, 6))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + 2) == pytest.approx(24, rel=1e-9)
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(x[:1], x)


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
