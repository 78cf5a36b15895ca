import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.errors import SteeringError
from steering.evaluate.distances import frechet_distance, kernel_distance, kernel_test, polynomial_kernel


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


def features(rng, n=100, shift=0.0, width=32):
    return rng.normal(size=(n, width)) + shift


def test_the_kernel_distance_is_unbiased_and_sees_a_shift():
    rng = np.random.default_rng(0)
    nulls = [kernel_test(features(rng), features(rng), permutations=1)[0] for _ in range(40)]
    assert abs(np.mean(nulls)) < 3 * np.std(nulls) / 40**0.5
    shifted, p = kernel_test(features(rng), features(rng, shift=0.5))
    assert shifted > 10 * np.std(nulls)
    assert p == pytest.approx(1 / 1000)


def test_a_set_is_at_distance_zero_of_itself_which_the_terms_of_partners_would_hide():
    x = features(np.random.default_rng(0))
    kernel, every = polynomial_kernel(np.concatenate([x, x]), np.concatenate([x, x])), np.arange(200)
    assert kernel_distance(kernel, every[:100], every[100:]) == pytest.approx(0, abs=1e-12)
    with_partners = kernel[:100, 100:].mean()
    without = (kernel[:100, 100:].sum() - np.trace(kernel[:100, 100:])) / (100 * 99)
    assert 2 * (without - with_partners) < -1e-3  # what the estimate for sets that share nothing would be off by


def test_a_shift_of_pairs_is_found_that_is_small_beside_how_pictures_differ():
    rng = np.random.default_rng(1)
    x = features(rng)
    moved = x + 0.2 * rng.normal(size=x.shape) + 0.1
    assert (moved - x).std() < 0.3 * x.std()
    assert kernel_test(x, moved)[1] < 0.01
    assert kernel_test(x, rng.permutation(moved))[1] > 0.05  # its power comes from the partners


def test_the_paired_test_holds_its_level():
    rng = np.random.default_rng(2)
    p_values = []
    for seed in range(100):
        x = features(rng, 30)
        noise = 0.5 * rng.normal(size=(2, *x.shape))
        p_values.append(kernel_test(x + noise[0], x + noise[1], permutations=99, seed=seed)[1])
    assert sum(p <= 0.05 for p in p_values) <= 12  # 5 expected of 100, three standard deviations are 7


def test_pictures_of_one_prompt_are_swapped_together():
    rng = np.random.default_rng(3)
    x = features(rng, 6)
    y = x + 1
    # Three prompts have eight swaps, so p cannot fall below a quarter (both all-swapped and none-swapped reach it).
    assert kernel_test(x, y, np.array([0, 0, 1, 1, 2, 2]))[1] > 0.2
    assert kernel_test(x, y)[1] < 0.1


def test_sets_that_cannot_be_compared_are_refused():
    x = features(np.random.default_rng(0), 3)
    with pytest.raises(ValueError, match="got 3 and 2"):
        kernel_test(x, x[:2])


def test_the_kernel_is_the_cubic_one_of_the_literature():
    x, y = np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[3.0, 1.0]])
    # (x . y / d + 1)^3 with d = 2 (Binkowski et al. 2018)
    assert polynomial_kernel(x, y).tolist() == [[(5 / 2 + 1) ** 3], [(1 / 2 + 1) ** 3]]


def test_two_pictures_a_side_are_enough_and_one_is_not():
    two = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert frechet_distance(two, two) == pytest.approx(0, abs=1e-9)
    assert np.isfinite(
        kernel_distance(polynomial_kernel(np.r_[two, two], np.r_[two, two]), np.arange(2), np.arange(2, 4))
    )
    for few in ((two[:1], two), (two, two[:1])):
        with pytest.raises(SteeringError):
            frechet_distance(*few)


def test_integer_features_lose_nothing():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 200, (40, 3)).astype(np.uint8), rng.integers(0, 200, (40, 3)).astype(np.uint8)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(a.astype(float), b.astype(float)))
    assert kernel_test(a, b, permutations=20) == kernel_test(a, b, permutations=20, seed=0)


def test_pictures_of_one_prompt_change_sides_together():
    rng = np.random.default_rng(0)
    base = np.repeat(rng.normal(0, 1, (6, 4)), 5, axis=0)
    moved = base + np.repeat(rng.normal(0.6, 0.3, (6, 4)), 5, axis=0)
    clusters = np.repeat([f"prompt {i}" for i in range(6)], 5)
    together = kernel_test(base, moved, clusters, 400)[1]
    alone = kernel_test(base, moved, None, 400)[1]
    # Six prompts can be flipped in 64 ways, so no p below 1/64 can be had; thirty free pictures pretend to more.
    assert together > 1 / 64 > alone
