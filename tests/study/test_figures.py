from dataclasses import replace

import numpy as np
import pytest

from steering.evaluate.statistics import estimate, holm
from steering.study.figures import arm_figures, compared, distances, matched, over_prompts
from steering.study.plan import Arm
from steering.study.setting import Recipe, Setting

from .test_measurements import measurements

NAMES = [f"p{i}" for i in range(8)]


def arm(name="study_k1", group="study"):
    return Arm(name, group, (8, 0, 0), Setting(Recipe(1), "projection", 2.5))


def made(presence, **more):
    n = len(NAMES)
    columns = {
        "change_rms": np.ones(n),
        "identical": np.zeros(n),
        "clip_prompt": np.full(n, 0.3),
        "kept": np.full(n, 90),
    }
    return measurements(NAMES, presence=presence, **{**columns, **more})


@pytest.fixture
def two():
    return {"original": made(np.full(8, 90.0)), "study_k1": made(np.arange(8.0))}


def test_figures_are_the_plain_means_of_the_rows(two):
    figures = arm_figures(arm(), two)
    assert figures.presence.mean == pytest.approx(3.5)
    assert figures.drop.mean == pytest.approx(86.5)
    assert figures.drop_p == pytest.approx(2 / 256, abs=0.005)  # of 256 sign flips two are as far; drawn at random
    assert figures.n == {"target": 8, "sibling": 0, "unrelated": 0}
    assert figures.losses == {}


def test_points_of_a_removal_are_from_nothing_to_a_hundred(two):
    presence, debris = np.array([0.0] * 7 + [28.0]), np.array([100.0] * 7 + [60.0])
    plain = estimate(presence)
    assert plain.low < 0  # Student's t knows no least value
    two["study_k1"] = made(presence, debris=debris)
    removal = arm_figures(arm(), two).removal
    assert (removal.presence.mean, removal.presence.low, removal.presence.high) == (plain.mean, 0, plain.high)
    assert removal.debris.high == 100


def test_the_clip_change_is_the_studys_and_blank_texts_are_left_out(two):
    two["study_k1"] = made(np.arange(8.0), clip_prompt=np.full(8, 0.3) - 0.13 * (np.arange(8) == 7))
    clip = arm_figures(arm(), two).clip["clip_prompt"]
    assert (clip.weakest, clip.strongest) == (0, pytest.approx(-10))
    assert clip.mean.mean == pytest.approx(-10 / 8)
    assert "clip_rest" not in arm_figures(arm(), two).clip


def test_what_siblings_lost_and_gained_is_bounded():
    n = 80  # fewer cannot show that rare and total losses are below five points
    names = [f"s{i}" for i in range(n)]

    def sides(loss):
        blank = {"change_rms": np.zeros(n), "identical": np.zeros(n)}
        before, after = np.zeros(n), np.full(n, 7.0)
        return [
            measurements(names, "sibling", kept=kept, presence=there, **blank)
            for kept, there in ((np.full(n, 90.0), before), (90.0 - loss, after))
        ]

    def merged(target, sibling):
        columns = ("kept", "change_rms", "identical", "presence")
        joined = {name: np.concatenate([target.columns[name], sibling.columns[name]]) for name in columns}
        whole = measurements(NAMES + names, **joined)
        return type(whole)(target.items + sibling.items, whole.pictures, whole.sha256, whole.columns, {})

    for loss, keeps in ((np.linspace(-1, 1, n), True), (np.linspace(3, 30, n), False)):
        before, after = sides(loss)
        plain = {"kept": np.zeros(8), "change_rms": np.ones(8), "identical": np.zeros(8), "presence": np.ones(8)}
        target = measurements([f"t{name}" for name in NAMES], **plain)
        both = {"original": merged(target, before), "study_k1": merged(target, after)}
        found = arm_figures(arm(), both).losses["sibling"]
        assert found.loss.mean == pytest.approx(loss.mean())
        assert found.within == keeps
        assert found.bound > loss.mean()
        assert found.gains_concept.mean == 7


def test_arms_are_compared_on_the_prompts_that_both_have(two):
    two["few"] = two["study_k1"].subset(np.arange(8) >= 4)
    for difference in (compared(two, "original", "few"), compared(two, "few", "original")):
        assert abs(difference.points.mean) == pytest.approx(90 - 5.5)
        assert difference.points.n == 4
    assert compared(two, "few", "original").points.mean < 0
    assert compared(two, "few", "nothing") is None


def test_distances_come_with_their_floor():
    rng = np.random.default_rng(0)
    base, other = rng.normal(size=(2, 8, 4))
    original, seed = (
        measurements(NAMES, clip_features=base),
        measurements(NAMES, repeats=[1000] * 8, clip_features=other),
    )
    steered = measurements(NAMES[::-1], clip_features=base[::-1] + 3)
    mine, before = matched(steered, original, "target")
    found = distances(mine, before, seed)["FD-CLIP"]
    assert found.same_seed == pytest.approx(36, rel=1e-6)  # a pure shift of 3 in 4 dimensions
    assert found.floor > 0
    assert found.excess == pytest.approx(found.other_seed - found.floor)
    assert found.kernel_p < 0.05
    same = distances(before, before, seed)["FD-CLIP"]
    assert (same.same_seed, same.excess) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))


def test_p_values_are_adjusted_over_k_and_concepts(finished):
    from steering.study.figures import study_figures

    figures = study_figures(finished.measured)
    family = {(c, n): a.drop_p for c, arms in figures.items() for n, a in arms.items() if a.group == "study"}
    assert len(family) == 4
    for (concept, name), p in holm(family).items():
        assert figures[concept][name].drop_p_holm == p


def sides(**after):
    """An original with the concept and a companion, and what steering made of it."""
    n = len(NAMES)
    plain = {"change_rms": np.ones(n), "identical": np.zeros(n)}
    before = {"presence": np.full(n, 95.0), "rest": np.full(n, 90.0), "debris": np.full(n, 2.0)}
    return {
        "original": measurements(NAMES, **plain, **before),
        "study_k1": measurements(NAMES, **plain, **{**before, "presence": np.full(n, 3.0), **after}),
    }


@pytest.mark.parametrize(
    ("after", "clean"),
    [
        ({}, 100.0),
        ({"presence": np.r_[np.full(4, 3.0), np.full(4, 80.0)]}, 50.0),
        ({"debris": np.r_[np.full(6, 3.0), np.full(2, 99.0)]}, 75.0),
        ({"rest": np.r_[np.full(7, 90.0), 5.0]}, 87.5),
        ({"rest": np.full(8, np.nan)}, 100.0),  # nothing else was asked for
    ],
)
def test_clean_is_absent_whole_and_the_rest_kept(after, clean):
    made = arm_figures(arm(), sides(**after)).removal
    assert made.clean.mean == clean
    assert made.clean.n == 8
    assert made.clean.low < clean or clean == 0  # Wilson's interval is never a point


def test_what_the_original_lacked_is_not_lost():
    two = sides(rest=np.full(8, 5.0))
    assert arm_figures(arm(), two).removal.clean.mean == 0
    two["original"].columns["rest"][:] = 10.0
    assert arm_figures(arm(), two).removal.clean.mean == 100


def test_without_a_judge_of_debris_nothing_is_called_clean(two):
    made = arm_figures(arm(), two).removal
    assert (made.clean, made.debris, made.kept, made.counterfactual) == (None, None, None, {})


@pytest.mark.parametrize("what", ["shows", "phrase", "draw"])
def test_intervals_treat_prompts_that_have_something_in_common_as_groups(what):
    marks = ["cat"] * 4 + ["bird"] * 4
    values = np.r_[np.zeros(4), np.full(4, 50.0)] + np.linspace(0, 1, 8)
    one = measurements(NAMES, presence=values)
    items = tuple(
        replace(item, draw=mark)
        if what == "draw"
        else replace(item, prompt=replace(item.prompt, **{what: (mark,) if what == "shows" else mark}))
        for item, mark in zip(one.items, marks, strict=True)
    )
    grouped = over_prompts(replace(one, items=items), values)
    assert grouped.high - grouped.low > 5 * (over_prompts(one, values).high - over_prompts(one, values).low)
