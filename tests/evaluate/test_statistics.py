import numpy as np
import pytest

from steering.evaluate.statistics import estimate, upper_bound


@pytest.mark.parametrize("n", [8, 40])
def test_intervals_cover_the_truth_about_95_times_in_100(n):
    rng = np.random.default_rng(0)
    hits = 0
    for i in range(300):
        e = estimate(rng.normal(3, 1, n), seed=i)
        hits += e.low <= 3 <= e.high
    assert (
        0.91 <= hits / 300 <= 0.98
    )  # four standard errors of .95 at 300 draws, less at the percentile bootstrap's side


def test_the_upper_bound_lies_inside_the_two_sided_interval():
    values = np.random.default_rng(1).normal(0, 5, 100)
    e = estimate(values)
    assert e.mean < upper_bound(values) < e.high
    assert str(e).startswith(f"{e.mean:.1f} [")


def test_one_value_has_no_interval():
    assert estimate(np.array([4.0])).low == 4.0
