import math

import pytest

from steering.interventions.presets import PRESETS, get_preset
from steering.study.setting import MAPS
from steering.study.vectors import GATED
from steering.tune.space import EXPORTABLE, LADDER, LINEAR, ROWS, WINDOWS, first_trials, suggest

optuna = pytest.importorskip("optuna")


def random_settings(exportable, count=300):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(count):
        trial = study.ask()
        yield trial, suggest(trial, exportable)
        study.tell(trial, 0.0)


@pytest.mark.parametrize("exportable", [True, False])
def test_the_first_trials_are_settings_and_no_two_alike(exportable):
    settings = [suggest(optuna.trial.FixedTrial(one), exportable) for one in first_trials(exportable)]
    assert len({one.name for one in settings}) == len(settings)
    assert all(one.strength == get_preset(one.preset).default_strength for one in settings)
    if exportable:
        assert {(one.preset, one.recipe.selection, one.recipe.time) for one in settings} == {
            ("lora", LINEAR, "constant")
        }
    else:
        maps = [(one.recipe.direction, one.recipe.rank) for one in settings if one.preset == "conditional"]
        assert maps == list(MAPS)
        assert {one.preset for one in settings} == set(PRESETS) - {"affine"}


def test_every_method_preset_and_window_can_be_proposed_and_fits():
    made = [setting for _, setting in random_settings(False)]
    assert {one.preset for one in made} == set(PRESETS)
    assert {one.recipe.direction for one in made} == {direction for direction, _ in MAPS} | set(ROWS)
    assert {one.window for one in made} == set(WINDOWS.values())
    assert {one.recipe.k for one in made} == set(LADDER)
    for one in made:
        usual = get_preset(one.preset).default_strength
        assert 0.5 * usual - 0.005 <= one.strength <= 2 * usual + 0.005  # rounded to two digits
        if not one.recipe.is_text:
            least, most = ROWS[one.recipe.direction]
            assert least <= one.recipe.rank <= most
        if one.preset == "selective":  # whose thresholds are measured only there
            assert (one.recipe.selection, one.recipe.direction in GATED) == ("per-step", True)
        assert (one.preset == "affine") == (one.recipe.direction == "affine" and not one.recipe.is_text)


def test_settings_that_differ_differ_by_name():
    made = {setting for _, setting in random_settings(False)}
    assert len({setting.name for setting in made}) == len(made)


def test_what_a_lora_holds_is_all_that_is_proposed_where_it_is_asked_for():
    for _, one in random_settings(True, 60):
        assert (one.preset, one.recipe.selection, one.recipe.time, one.window) == ("lora", LINEAR, "constant", (0, 1))
        assert one.recipe.direction in EXPORTABLE


def test_answers_make_the_setting_again():
    for trial, setting in random_settings(False, 40):
        assert suggest(optuna.trial.FixedTrial(trial.params), False) == setting
        assert math.isfinite(setting.strength)
