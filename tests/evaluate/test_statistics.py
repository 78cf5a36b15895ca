import warnings

import numpy as np
import pytest
from scipy import stats

from steering.errors import SteeringError
from steering.evaluate.statistics import (
    area_under_curve,
    estimate,
    holm,
    mcnemar_p,
    share,
    sign_flip_p,
    stays_within,
    upper_bound,
)


@pytest.mark.parametrize("n", [8, 40])
@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_intervals_cover_the_truth_about_95_times_in_100(n, draw):
    rng = np.random.default_rng(0)
    hits = 0
    for i in range(200):
        values = 3 + rng.normal(0, 1, n) if draw == "normal" else 3 * rng.exponential(1, n)
        e = estimate(values, seed=i)
        hits += e.low <= 3 <= e.high
    # 0.95 less three standard errors at 200 draws; an exponential's t misses a little more often below 10.
    assert hits / 200 >= (0.9 if draw == "normal" else 0.87)


def test_an_interval_is_cut_to_what_the_values_can_be():
    few = estimate(np.array([90.0, 100.0, 100.0]))
    assert few.high > 100 > few.low  # there is something to cut
    cut = few.within(0, 100)
    assert (cut.mean, cut.low, cut.high, cut.n) == (few.mean, few.low, 100, 3)
    assert estimate(np.array([0.0, 1.0])).within(0, 100).low == 0
    assert np.isnan(estimate(np.array([5.0])).within(0, 100).low)


def test_prompts_of_one_group_do_not_count_as_so_many():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 10)
    hits, alone = 0, 0
    for i in range(200):
        values = rng.normal(0, 1, 10)[labels] + 0.2 * rng.normal(0, 1, 100)  # the mean of the ten is 0
        grouped, plain = estimate(values, [labels.tolist()], seed=i), estimate(values, seed=i)
        hits += grouped.low <= 0 <= grouped.high
        alone += plain.low <= 0 <= plain.high
    assert hits / 200 >= 0.9  # 0.95 less three standard errors
    assert alone / 200 < 0.6  # without the groups it is far too narrow: the effect exists


def test_groups_of_one_are_student_s_t():
    values = np.random.default_rng(0).normal(0, 1, 12)
    labels = [str(i) for i in range(12)]
    plain, grouped = estimate(values), estimate(values, [labels])
    assert (plain.low, plain.high) == pytest.approx((grouped.low, grouped.high))
    assert estimate(values, [["one"] * 12]) == plain  # a single group says nothing


@pytest.mark.parametrize("share_destroyed", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("n", [20, 100])
def test_the_bound_holds_where_losses_are_rare_and_total(share_destroyed, n):
    rng = np.random.default_rng(0)
    truth, covered, students = 100 * share_destroyed, 0, 0
    for _ in range(400):
        losses = np.where(rng.random(n) < share_destroyed, 100.0, 0.0)
        covered += upper_bound(losses) >= truth
        student = losses.mean() + stats.t.ppf(0.95, n - 1) * losses.std(ddof=1) / np.sqrt(n)
        students += student >= truth
    assert covered / 400 >= 0.92  # 0.95 less three standard errors
    if truth * n <= 100:
        assert students / 400 < 0.7  # Student's bound misses every third time: the effect exists


def test_the_bound_of_no_loss_at_all_is_that_of_a_share():
    assert upper_bound(np.zeros(100)) == pytest.approx(80 * (1 - 0.04 ** (1 / 100)))  # Clopper and Pearson at 0 of 100
    assert upper_bound(np.full(100, 2.0)) == pytest.approx(2 + 80 * (1 - 0.04 ** (1 / 100)))
    assert upper_bound(np.full(100, 2.0), most=20) == pytest.approx(2)  # none can lose more
    assert upper_bound(np.zeros(5)) > 30  # five prompts show hardly anything


def test_the_upper_bound_lies_above_the_mean():
    values = np.random.default_rng(1).normal(0, 5, 100)
    e = estimate(values)
    assert e.mean < upper_bound(values)
    assert str(e).startswith(f"{e.mean:.1f} [")


def test_one_value_has_no_interval():
    alone = estimate(np.array([4.0]))
    assert alone.mean == 4.0
    assert np.isnan([alone.low, alone.high]).all()
    assert upper_bound(np.array([4.0])) == np.inf


def test_no_bound_lies_beyond_what_can_be_lost():
    assert upper_bound(np.array([0.0, 100.0])) == 100
    assert upper_bound(np.array([0.0, 20.0]), most=20) == 20
    assert sign_flip_p(np.array([])) == 1


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
    kept, noisy = rng.normal(0, 2, 100), rng.normal(0, 40, 10)
    assert sign_flip_p(noisy) > 0.05  # nothing is found,
    assert not stays_within(noisy, 5)  # and nothing shown either
    assert stays_within(kept, 5)
    assert not stays_within(kept + 8, 5)
    assert not stays_within(kept - 8, 5)  # a gain is no standing still
    assert stays_within(np.zeros(100), 5)
    assert not stays_within(np.zeros(5), 5)  # five prompts show nothing
    with pytest.raises(ValueError, match="margin"):
        stays_within(kept, 0)


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


def test_bounds_and_intervals_of_degree_are_students():
    values = np.array([1.0, 2.0, 4.0, 9.0])
    error = values.std(ddof=1) / 2
    made = estimate(values)
    assert (made.low, made.high) == pytest.approx((4 - 3.182446 * error, 4 + 3.182446 * error), abs=1e-4)
    wide = np.random.default_rng(0).normal(50, 10, 40)  # far beyond losses of degree
    assert upper_bound(wide) >= wide.mean() + stats.t.ppf(0.95, 39) * wide.std(ddof=1) / np.sqrt(40)


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


def test_from_twenty_prompts_on_the_bootstrap_widens_a_skewed_interval():
    values = np.r_[np.zeros(19), 100.0]
    found = estimate(values)
    half = stats.t.ppf(0.975, 19) * values.std(ddof=1) / 20**0.5
    assert found.low == pytest.approx(5 - half)
    assert found.high > 5 + half + 3  # BCa follows the tail
    assert estimate(values) == found
    assert estimate(values[1:]).high == pytest.approx(
        values[1:].mean() + stats.t.ppf(0.975, 18) * values[1:].std(ddof=1) / 19**0.5
    )


def test_values_that_are_all_equal_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for n in (2, 4, 40):
            found = estimate(np.full(n, 2.0), [["a", "b"] * (n // 2)])
            assert found.low == found.high == found.mean == 2.0
            assert upper_bound(np.full(n, 2.0)) > 2


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


def test_sign_flips_are_the_same_for_the_same_seed():
    values = np.random.default_rng(2).normal(0.3, 1, 40)
    assert sign_flip_p(values) == sign_flip_p(values) == sign_flip_p(values, seed=0)
    assert len({sign_flip_p(values, 99, seed) for seed in range(5)}) > 1


def test_one_difference_shows_nothing_either_way():
    assert sign_flip_p(np.array([40.0])) == 1.0


def test_a_difference_that_nobody_measured_is_no_evidence():
    with pytest.raises(SteeringError, match="must be finite"):
        sign_flip_p(np.array([1.0, np.nan, 2.0, 3.0]))
