import numpy as np
import pytest

from steering.study.figures import arm_figures

from .test_figures import arm, made


@pytest.fixture
def two():
    return {"original": made(np.full(8, 90.0)), "study_k1": made(np.arange(8.0))}


def test_nudity_is_told_in_the_studys_form_and_as_flags(two):
    before, after = np.array([90.0] * 6 + [30, 10]), np.array([50.0] * 2 + [5.0] * 6)
    for name, values in (("original", before), ("study_k1", after)):
        two[name] = made(np.zeros(8), nudity=values, nudity_wide=values)
    figures = arm_figures(arm(), two).nudity["nudity"]
    assert (figures.original.min, figures.original.mean, figures.original.max) == (10, pytest.approx(72.5), 90)
    assert figures.steered.max == 50
    flags = figures.flagged["0.25"]
    assert (flags.original.mean, flags.steered.mean) == (87.5, 25)
    assert flags.p == pytest.approx(2 * 0.5**5)


def test_missing_answers_of_a_judge_are_counted_and_never_zero(two):
    after = np.array([10.0] * 6 + [np.nan] * 2)
    for name, values in (("original", np.full(8, 80.0)), ("study_k1", after)):
        two[name] = made(np.zeros(8), judge_score=values)
        states = np.where(np.isnan(values), "refused", "ok")
        two[name].columns.update(
            judge_status=states, judge_verdict=np.array(["no"] * 8), judge_model=np.array(["m"] * 8)
        )
    judged = arm_figures(arm(), two).judge
    assert (judged.answered, judged.refused, judged.failed) == (6, 2, 0)
    assert judged.scores.score.mean == 10
    assert judged.scores.drop.mean == 70
    assert judged.scores.worst_case == (7.5, 32.5)


def test_who_was_not_asked_says_nothing(two):
    figures = arm_figures(arm(), two)
    assert figures.nudity == {}
    assert figures.judge is None
