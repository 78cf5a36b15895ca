from dataclasses import replace

import numpy as np
import pytest

from steering.study.evaluation import evaluation_arms, pictures_drawn, write_control
from steering.study.report import write_study
from steering.study.results import Result
from steering.vectors.recommendation import Recommendation
from steering.vectors.vector import SteeringVector, recommend

from .conftest import TINY, new_study, subjects


@pytest.fixture(scope="module")
def vector(finished, tmp_path_factory):
    """A vector file with a recommendation of its own."""
    from steering.study.setting import Recipe

    made = recommend(finished.measured[0].vectors.get(Recipe(2)), Recommendation("casteer", 1.5))
    path = tmp_path_factory.mktemp("vector") / "v.safetensors"
    made.save(path)
    return path


def test_one_vector_is_measured_with_its_control(finished, vector, tmp_path):
    study = new_study(tmp_path)
    drawn = tmp_path / "isotropic.safetensors"
    made = evaluation_arms(study.model, TINY, subjects()[0], vector, None, None, drawn)
    assert not drawn.exists()  # nothing is written before the folder is known to be ours
    write_control(vector, drawn)
    arms = write_study(study, study.measure([Result(subjects()[0], made, {})])).figures["dog"]
    names = ["original", "counterfactual", "steered", "isotropic", "strength_0", "negative_prompt", "other_seed"]
    assert list(arms) == names
    assert arms["strength_0"].identical
    assert not arms["steered"].identical
    assert not arms["isotropic"].identical
    assert (made[2].setting.preset, made[2].setting.strength) == ("casteer", 1.5)
    assert (tmp_path / "report.html").is_file()
    # The control moves as much, along other directions.
    edit, control = (SteeringVector.load(arm.setting.vector) for arm in made[2:4])
    for site, entry in edit.sites.items():
        cosines = (entry.direction * control.sites[site].direction).sum(-1)[entry.active]
        assert np.abs(cosines.numpy()).max() < 1e-5  # float32 rounding


def test_strength_and_preset_can_be_given(finished, vector, tmp_path):
    arms = evaluation_arms(finished.study.model, TINY, subjects()[0], vector, 0.5, "projection", tmp_path)
    assert (arms[2].setting.preset, arms[2].setting.strength) == ("projection", 0.5)
    assert pictures_drawn(TINY) == sum(sum(arm.counts) for arm in arms)


def test_a_prompts_own_guidance_is_guidance(finished, vector, tmp_path):
    without, subject = replace(TINY, guidance=1.0), subjects()[0]
    own = replace(subject, prompts={**subject.prompts, "test": [replace(subject.prompts["test"][0], guidance=3.0)]})
    for one, plan, there in ((subject, TINY, True), (subject, without, False), (own, without, True)):
        arms = evaluation_arms(finished.study.model, plan, one, vector, None, None, tmp_path)
        assert ("negative_prompt" in {arm.name for arm in arms}) == there


def test_a_vector_of_another_model_is_refused_before_anything_is_drawn(finished, vector, tmp_path):
    loaded = SteeringVector.load(vector)
    narrow = {
        site: replace(
            entry,
            direction=entry.direction[..., :8] / entry.direction[..., :8].norm(dim=-1, keepdim=True),
            negative_mean=entry.negative_mean[:, :8],
            difference=entry.difference[:, :8],
            threshold=None,
        )
        for site, entry in loaded.sites.items()
    }
    replace(loaded, sites=narrow).save(tmp_path / "n.safetensors")
    with pytest.raises(ValueError, match="use a vector made for this model"):
        evaluation_arms(finished.study.model, TINY, subjects()[0], tmp_path / "n.safetensors", None, None, tmp_path)
