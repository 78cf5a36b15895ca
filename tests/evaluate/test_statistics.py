import warnings

import numpy as np
import pytest
from scipy import stats

from steering.evaluate.statistics import (
    area_under_curve,
    equivalence_p,
    estimate,
    holm,
    mcnemar_p,
    share,
    sign_flip_p,
    upper_bound,
)


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
    alone = estimate(np.array([4.0]))
    assert alone.mean == 4.0
    assert np.isnan([alone.low, alone.high]).all()
    assert upper_bound(np.array([4.0])) == np.inf
    assert sign_flip_p(np.array([])) == 1


def test_bounds_of_few_prompts_are_students():
    rng = np.random.default_rng(0)
    covered = sum(upper_bound(rng.normal(3, 1, 5), seed=i) >= 3 for i in range(400))
    assert 0.92 <= covered / 400 <= 0.98  # 0.95, three standard errors are 0.033; a bootstrap has 0.88


def test_sign_flips_hold_their_level_and_see_a_shift():
    rng = np.random.default_rng(0)
    nulls = [sign_flip_p(rng.normal(0, 1, 30), permutations=199, seed=i) for i in range(200)]
    # 5 % of 200 is 10; three standard deviations of a binomial are 9.
    assert 1 <= sum(p <= 0.05 for p in nulls) <= 19
    assert sign_flip_p(rng.normal(1, 1, 30)) < 0.001
    assert sign_flip_p(np.zeros(10)) == 1
    assert sign_flip_p(np.ones(4), 999) == pytest.approx(2 / 16, abs=0.04)  # all + or all - of 16, by chance


def test_holm_is_bonferroni_for_the_smallest_and_never_falls():
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.9})
    assert adjusted == pytest.approx({"a": 0.04, "c": 0.09, "b": 0.09, "d": 0.9})
    assert list(adjusted) == ["a", "b", "c", "d"]
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}


def test_not_significant_is_not_kept():
    rng = np.random.default_rng(0)
    kept, noisy = rng.normal(0, 2, 50), rng.normal(0, 40, 10)
    assert sign_flip_p(noisy) > 0.05  # nothing is found,
    assert equivalence_p(noisy, 5) > 0.05  # and nothing shown either
    assert equivalence_p(kept, 5) < 0.001
    assert equivalence_p(kept + 8, 5) > 0.99
    assert equivalence_p(np.zeros(5), 5) == 0
    assert equivalence_p(np.full(5, 9.0), 5) == 1
    with pytest.raises(ValueError, match="margin"):
        equivalence_p(kept, 0)


def test_two_one_sided_tests_are_the_ones_of_the_library():
    values = np.random.default_rng(3).normal(1, 3, 25)
    above = stats.ttest_1samp(values, -2.0, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 2.0, alternative="less").pvalue
    assert equivalence_p(values, 2.0) == pytest.approx(max(above, below))


def test_shares_have_intervals_even_at_zero():
    none = share(np.zeros(20, bool))
    assert (none.mean, none.low, none.n) == (0, 0, 20)
    assert none.high == pytest.approx(16.1, abs=0.1)  # z² / (n + z²)
    assert share(np.arange(10) < 3).mean == pytest.approx(30)


def test_paired_flags_count_only_where_they_differ():
    before, after = np.array([1] * 12 + [0] * 8, bool), np.array([1] * 2 + [0] * 18, bool)
    assert mcnemar_p(before, after) == pytest.approx(2 * 0.5**10)
    assert mcnemar_p(before, before) == 1


def test_area_under_the_curve_is_the_chance_of_the_right_order():
    assert area_under_curve(np.array([3.0, 2, 1, 1]), np.array([True, True, False, False])) == 1
    assert area_under_curve(np.array([1.0, 1]), np.array([True, False])) == 0.5
    with pytest.raises(ValueError, match="with and without"):
        area_under_curve(np.ones(2), np.array([True, True]))


def test_bounds_of_few_prompts_are_students_one_sided_ones():
    values = np.array([1.0, 2.0, 4.0, 9.0])
    error = values.std(ddof=1) / 2
    assert upper_bound(values) == pytest.approx(4 + 2.353363 * error, abs=1e-4)  # t of 3 degrees at 95 %
    made = estimate(values)
    assert (made.low, made.high) == pytest.approx((4 - 3.182446 * error, 4 + 3.182446 * error), abs=1e-4)


def test_equivalence_is_the_larger_of_two_one_sided_tests():
    values = np.array([1.0, 2.0, 4.0, 9.0])
    lower, upper = (stats.ttest_1samp(values, m, alternative=a).pvalue for m, a in ((-6, "greater"), (6, "less")))
    assert lower != upper
    assert equivalence_p(values, 6.0) == pytest.approx(max(lower, upper))


def test_without_prompts_there_is_no_mean_and_no_interval():
    for found in (estimate(np.array([])), share(np.array([], bool))):
        assert found.n == 0
        assert np.isnan([found.mean, found.low, found.high]).all()
    assert np.isnan(upper_bound(np.array([])))


def test_one_prompt_has_a_mean_and_no_interval():
    found = estimate(np.array([3.0]))
    assert (found.mean, found.n) == (3.0, 1)
    assert np.isnan([found.low, found.high]).all()
    assert upper_bound(np.array([3.0])) == float("inf")
    assert np.isnan(upper_bound(np.array([np.nan])))


@pytest.mark.parametrize("n", [2, 19])
def test_few_prompts_get_student_s_interval(n):
    values = np.arange(n, dtype=float)
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5
    found = estimate(values)
    assert (found.mean, found.n) == (values.mean(), n)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))
    one_sided = values.mean() + stats.t.ppf(0.95, n - 1) * values.std(ddof=1) / n**0.5
    assert upper_bound(values) == pytest.approx(one_sided)


def test_from_twenty_prompts_on_the_bootstrap_and_its_seed_decide():
    values = np.r_[np.zeros(19), 100.0]
    found = estimate(values)
    assert found.n == 20
    assert found.low == 0  # a draw without the one prompt; Student's interval would reach below 0
    assert estimate(values) == found and upper_bound(values) == upper_bound(values)
    values = np.random.default_rng(3).normal(0, 1, 20)
    assert estimate(values, seed=0) == estimate(values) != estimate(values, seed=1)


def test_values_that_are_all_equal_have_that_bound_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for n in (4, 40):
            found = estimate(np.full(n, 2.0))
            assert upper_bound(np.full(n, 2.0)) == found.low == found.high == found.mean == 2.0


def test_a_share_has_wilson_s_interval():
    found = share(np.array([True] * 3 + [False] * 7))
    z, p, n = stats.norm.ppf(0.975), 0.3, 10
    centre, half = p + z**2 / (2 * n), z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    expected = [100 * (centre + sign * half) / (1 + z**2 / n) for sign in (-1, 1)]
    assert (found.mean, found.n) == (30.0, 10)
    assert [found.low, found.high] == pytest.approx(expected)


def test_mcnemar_counts_only_what_changed():
    before, after = np.array([True] * 5 + [False] * 5), np.array([False] * 4 + [True] * 2 + [False] * 4)
    assert mcnemar_p(before, after) == pytest.approx(stats.binomtest(4, 5).pvalue)
    swapped = np.array([True, False])
    assert mcnemar_p(swapped, ~swapped) == 1.0  # one lost, one gained


def test_equivalence_is_the_worse_of_two_one_sided_tests():
    assert equivalence_p(np.array([4.9, 4.9]), 5.0) == 0.0  # no spread at all, and within the margin
    assert equivalence_p(np.array([-5.0, -5.0]), 5.0) == 1.0
    assert equivalence_p(np.array([0.0]), 5.0) == 1.0  # one prompt shows nothing
    assert equivalence_p(np.array([0.1, -0.1]), 1.0) < 0.1  # two prompts have a variance
    values = np.random.default_rng(0).normal(0, 1, 30)
    lower = stats.ttest_1samp(values, -0.5, alternative="greater").pvalue
    upper = stats.ttest_1samp(values, 0.5, alternative="less").pvalue
    assert equivalence_p(values, 0.5) == pytest.approx(max(lower, upper))


def test_sign_flips_are_the_same_for_the_same_seed():
    values = np.random.default_rng(2).normal(0.3, 1, 40)
    assert sign_flip_p(values) == sign_flip_p(values) == sign_flip_p(values, seed=0)
    assert len({sign_flip_p(values, 99, seed) for seed in range(5)}) > 1


def test_one_difference_shows_nothing_either_way():
    assert sign_flip_p(np.array([40.0])) == 1.0
