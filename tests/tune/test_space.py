import pytest

from steering.interventions import PRESETS
from steering.study.plan import FULL
from steering.tune.space import LADDER, Candidate, first_round, neighbours


@pytest.mark.parametrize("exportable", [True, False])
def test_the_first_round_tries_everything_once(exportable):
    candidates = first_round(exportable)
    assert len(set(candidates)) == len(candidates)
    assert len({one.name for one in candidates}) == len(candidates)
    assert {one.recipe.rank for one in candidates} == {1, 2, 3}
    assert {one.recipe.k for one in candidates} <= set(LADDER)
    presets = {one.preset for one in candidates}
    assert presets == ({"lora"} if exportable else set(PRESETS))


@pytest.mark.parametrize("exportable", [True, False])
def test_neighbours_differ_in_one_thing_and_can_be_told_apart(exportable):
    for candidate in first_round(exportable):
        near = neighbours(candidate, exportable)
        assert len({candidate.name, *(one.name for one in near)}) == len(near) + 1
        for one in near:
            changed = [
                one.strength != candidate.strength,
                one.recipe.k != candidate.recipe.k,
                one.window != candidate.window,
            ]
            assert sum(changed) == 1
            assert one.preset == candidate.preset
            assert one.recipe.k in LADDER
        if exportable:
            assert {one.window for one in near} == {(0.0, 1.0)}


def test_the_ends_of_the_ladder_have_one_neighbour():
    first = first_round(True)[0]
    for k, others in ((LADDER[0], {LADDER[1]}), (LADDER[-1], {LADDER[-2]})):
        recipe = Candidate(first.recipe.__class__(k), "study", 1.0)
        assert {one.recipe.k for one in neighbours(recipe)} - {k} == others


def test_an_arm_draws_dev_prompts_as_the_candidate_says():
    candidate = neighbours(first_round()[0])[-1]
    arm = candidate.arm(FULL.dev)
    assert (arm.split, arm.vector, arm.preset, arm.strength, arm.window, arm.counts) == (
        "dev",
        candidate.recipe,
        candidate.preset,
        candidate.strength,
        candidate.window,
        FULL.dev,
    )
