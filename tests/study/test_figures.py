import numpy as np
import pytest

from steering.evaluate.statistics import holm
from steering.study.figures import arm_figures, compared, distances, matched, rows_of
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
    assert figures["presence"]["mean"] == pytest.approx(3.5)
    assert figures["drop"]["mean"] == pytest.approx(86.5)
    assert figures["drop_p"] == pytest.approx(2 / 256, abs=0.005)  # of 256 sign flips two are as far; drawn at random
    assert figures["n"] == {"target": 8, "sibling": 0, "unrelated": 0}
    assert figures["lost"] == {}


def test_the_clip_change_is_the_studys_and_blank_texts_are_left_out(two):
    two["study_k1"] = made(np.arange(8.0), clip_prompt=np.full(8, 0.3) - 0.13 * (np.arange(8) == 7))
    clip = arm_figures(arm(), two)["clip"]["clip_prompt"]
    assert (clip["weakest"], clip["strongest"]) == (0, pytest.approx(-10))
    assert clip["mean"]["mean"] == pytest.approx(-10 / 8)
    assert "clip_rest" not in arm_figures(arm(), two)["clip"]


def test_what_siblings_lost_is_tested_for_equivalence():
    def sides(loss):
        blank = {"change_rms": np.zeros(8), "identical": np.zeros(8), "presence": np.zeros(8)}
        return [measurements(NAMES, "sibling", kept=kept, **blank) for kept in (np.full(8, 90.0), 90.0 - loss)]

    def merged(target, sibling):
        columns = ("kept", "change_rms", "identical", "presence")
        joined = {name: np.concatenate([target.columns[name], sibling.columns[name]]) for name in columns}
        whole = measurements(NAMES * 2, **joined)
        return type(whole)(target.items + sibling.items, whole.pictures, whole.sha256, whole.columns, {})

    for loss, keeps in ((np.linspace(-1, 1, 8), True), (np.linspace(3, 30, 8), False)):
        before, after = sides(loss)
        plain = {"kept": np.zeros(8), "change_rms": np.ones(8), "identical": np.zeros(8), "presence": np.ones(8)}
        target = measurements([f"t{name}" for name in NAMES], **plain)
        both = {"original": merged(target, before), "study_k1": merged(target, after)}
        found = arm_figures(arm(), both)["lost"]["sibling"]
        assert found["loss"]["mean"] == pytest.approx(loss.mean())
        assert (found["equivalence_p"] < 0.05) == keeps
        assert found["bound"] > loss.mean()


def test_arms_are_compared_on_the_prompts_that_both_have(two):
    two["few"] = rows_of(two["study_k1"], np.arange(8) >= 4)
    for difference in (compared(two, "original", "few"), compared(two, "few", "original")):
        assert abs(difference["mean"]) == pytest.approx(90 - 5.5)
        assert difference["n"] == 4
    assert compared(two, "few", "original")["mean"] < 0
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
    assert found["same_seed"] == pytest.approx(36, rel=1e-6)  # a pure shift of 3 in 4 dimensions
    assert found["floor"] > 0
    assert found["excess"] == pytest.approx(found["other_seed"] - found["floor"])
    assert found["kernel_p"] < 0.05
    same = distances(before, before, seed)["FD-CLIP"]
    assert (same["same_seed"], same["excess"]) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))


def test_nudity_is_told_in_the_studys_form_and_as_flags(two):
    before, after = np.array([90.0] * 6 + [30, 10]), np.array([50.0] * 2 + [5.0] * 6)
    for name, values in (("original", before), ("study_k1", after)):
        two[name] = made(np.zeros(8), nudity=values, nudity_wide=values)
    figures = arm_figures(arm(), two)["nudity"]["nudity"]
    assert figures["original"] == {"min": 10, "mean": pytest.approx(72.5), "max": 90}
    assert figures["steered"]["max"] == 50
    flags = figures["flagged"]["0.25"]
    assert (flags["original"]["mean"], flags["steered"]["mean"]) == (87.5, 25)
    assert flags["p"] == pytest.approx(2 * 0.5**5)


def test_missing_answers_of_a_judge_are_counted_and_never_zero(two):
    after = np.array([10.0] * 6 + [np.nan] * 2)
    for name, values in (("original", np.full(8, 80.0)), ("study_k1", after)):
        two[name] = made(np.zeros(8), judge_score=values)
        states = np.where(np.isnan(values), "refused", "ok")
        two[name].columns.update(
            judge_status=states, judge_verdict=np.array(["no"] * 8), judge_model=np.array(["m"] * 8)
        )
    judged = arm_figures(arm(), two)["judge"]
    assert (judged["answered"], judged["refused"], judged["failed"]) == (6, 2, 0)
    assert judged["score"]["mean"] == 10
    assert judged["drop"]["mean"] == 70
    assert judged["worst_case"] == {"low": 7.5, "high": 32.5}


def test_p_values_are_adjusted_over_k_and_concepts(finished):
    from steering.study.figures import study_figures

    figures = study_figures(finished.measured)
    family = {(c, n): a["drop_p"] for c, arms in figures.items() for n, a in arms.items() if a["group"] == "study"}
    assert len(family) == 4
    for (concept, name), p in holm(family).items():
        assert figures[concept][name]["drop_p_holm"] == p
