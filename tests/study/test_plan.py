from dataclasses import replace

import pytest

from steering.concepts.prompts import Prompt
from steering.interventions.presets import PRESETS
from steering.sites import KINDS
from steering.study.plan import (
    FULL,
    QUICK,
    Plan,
    all_targets,
    dev_arms,
    reported_arms,
    scaled,
    tried,
)
from steering.study.setting import Recipe, Setting

CHOSEN = Setting(Recipe.of_rank(5, 2), "selective", 3.0)


def arms(plan=FULL):
    return {arm.name: arm for arm in reported_arms(plan, "a dog", CHOSEN, 8)}


def test_the_reported_arms_are_those_of_the_study_and_what_a_reviewer_asks():
    made = arms()
    assert len(made) == len(reported_arms(FULL, "a dog", CHOSEN, 8))  # no name stands twice
    for k in (1, 3, 5, 8, 10):
        assert made[f"study_k{k}"].setting.vector == Recipe(k)
        assert made[f"cpca_k{k}"].setting.vector == Recipe(k, "cpca")
        assert made[f"study_k{k}"].setting.strength == 2.5
    assert made["original"].setting is None
    assert made["negative_prompt"].negative == "a dog"
    assert made["other_seed"].repeat > FULL.repeats
    assert made["strength_0"].setting.strength == 0
    assert made["strength_0"].counts[0] == made["original"].counts[0]  # drawn in the same batches
    assert "study_2.5" in made
    assert {made[f"only_{kind}"].setting.vector for kind in KINDS} == {
        Recipe(8, selection=f"per-step:{kind}") for kind in KINDS
    }
    windows = [made[f"{third}_third"].setting.window for third in ("first", "middle", "last")]
    assert [end for _, end in windows][:2] == [start for start, _ in windows][1:]
    assert (windows[0][0], windows[-1][1]) == (0, 1)


def test_controls_are_like_the_chosen_arm_but_for_their_direction():
    made = arms()
    for name in ("sign_flip", "isotropic", "other_concept"):
        for control, arm in ((name, "chosen"), (f"study_{name}", "study_k8")):
            setting = made[control].setting
            assert setting.recipe.control == name
            assert replace(setting, vector=replace(setting.recipe, control="")) == made[arm].setting


def test_without_guidance_there_is_no_negative_prompt():
    assert "negative_prompt" not in {arm.name for arm in reported_arms(FULL, "a dog", CHOSEN, 8, guided=False)}


def test_ks_are_put_in_order_since_more_is_compared_with_less():
    assert Plan(ks=(10, 1, 5)).ks == (1, 5, 10)


def test_a_list_of_ones_own_is_drawn_whole():
    own = [Prompt("target", str(i)) for i in range(250)]
    assert all_targets(FULL, [own, own[:3]]).test == (250, 100, 100)


def test_every_arm_draws_prompts_that_the_original_draws_too():
    for plan in (FULL, QUICK, scaled(FULL, 7)):
        for arm in arms(plan).values():
            assert all(mine <= whole for mine, whole in zip(arm.counts, plan.test, strict=True)), arm.name


def test_every_vector_has_a_file_name_of_its_own():
    recipes = {arm.setting.recipe for arm in arms().values() if arm.setting}
    assert len({recipe.name for recipe in recipes}) == len(recipes)


def test_all_settings_are_tried_and_the_first_dev_arm_is_the_original():
    settings = tried(FULL)
    # What a LoRA can hold is not among what the source study and this one compare, nor a map without its condition.
    assert {setting.preset for setting in settings} == set(PRESETS) - {"lora", "affine"}
    assert [s.recipe for s in settings if s.preset == "conditional"] == [Recipe.of_text(*one) for one in FULL.maps]
    made = dev_arms(settings, (2, 2, 2))
    assert made[0].setting is None
    assert len({arm.name for arm in made}) == len(settings) + 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ks": (1, 1)}, "1,1"),
        ({"ks": (0,)}, "k 0"),
        ({"presets": {"x": (1.0,)}}, "'x'"),
        ({"presets": {"precise": (1.0,)}}, "must hold projection"),
        ({"pairs": 0}, "pairs 0"),
        ({"draws": 0}, "draws 0"),
    ],
)
def test_plans_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Plan(**wrong)


def test_a_plan_may_ask_less():
    asked = replace(FULL, questions=("control", "floor"), kept=(9, 0, 0), best=(9, 9, 9))
    made = arms(asked)
    assert {arm.group for arm in made.values()} == {"original", "counterfactual", "study", "chosen", "control", "floor"}
    assert made["study_k8"].counts == (9, 9, 9)
    assert made["study_k5"].counts == (9, 0, 0)
    with pytest.raises(ValueError, match="questions weather"):
        replace(FULL, questions=("weather",))
