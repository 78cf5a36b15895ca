import pytest

from steering.interventions.presets import PRESETS
from steering.study.setting import Recipe, Setting
from steering.tune.space import LADDER, first_round, neighbours


@pytest.mark.parametrize("exportable", [True, False])
def test_the_first_round_tries_everything_once(exportable):
    settings = first_round(exportable)
    assert len(set(settings)) == len(settings)
    assert len({one.name for one in settings}) == len(settings)
    maps = [one for one in settings if one.preset == "conditional"]
    assert {one.recipe.rank for one in settings if one not in maps} == {1, 2, 3}
    assert {one.recipe.where for one in maps} == (set() if exportable else {"text"})
    assert {one.recipe.k for one in settings} <= set(LADDER)
    presets = {one.preset for one in settings}
    assert presets == ({"lora"} if exportable else set(PRESETS) - {"affine"})


@pytest.mark.parametrize("exportable", [True, False])
def test_neighbours_differ_in_one_thing_and_can_be_told_apart(exportable):
    for setting in first_round(exportable):
        near = neighbours(setting, exportable)
        assert len({setting.name, *(one.name for one in near)}) == len(near) + 1
        for one in near:
            changed = [
                one.strength != setting.strength,
                one.recipe.k != setting.recipe.k,
                one.window != setting.window,
            ]
            assert sum(changed) == 1
            assert one.preset == setting.preset
            assert one.recipe.k in LADDER
        if exportable:
            assert {one.window for one in near} == {(0.0, 1.0)}


def test_the_ends_of_the_ladder_have_one_neighbour():
    for k, others in ((LADDER[0], {LADDER[1]}), (LADDER[-1], {LADDER[-2]})):
        recipe = Setting(Recipe(k), "projection", 1.0)
        assert {one.recipe.k for one in neighbours(recipe)} - {k} == others
