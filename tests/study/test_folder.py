import json
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from filelock import FileLock, Timeout

from steering.errors import SteeringError
from steering.study.folder import LOCK, NAME, belongs, run_fingerprint, work_in
from steering.study.subject import load_subject

from .conftest import TINY


@pytest.fixture
def setting(toy_model):
    def make(plan=TINY, command="study", concept="dog", **more):
        return run_fingerprint(command, toy_model, plan, [load_subject(concept, "pocket", plan)], **more)

    return make


def test_the_same_setting_goes_on_and_may_be_computed_in_other_batches(setting, tmp_path):
    belongs(tmp_path / "work", setting())
    belongs(tmp_path / "work", setting())
    belongs(tmp_path / "work", setting(replace(TINY, batch=1)))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"plan": replace(TINY, steps=4)}, "plan.steps is 3 there and 4 here"),
        ({"plan": replace(TINY, test=(4, 4, 4))}, "plan.test"),
        ({"command": "demo"}, "command is 'study' there and 'demo' here"),
        ({"concept": "violence"}, "concept.dog"),
        ({"vector": "x"}, "vector is None there and 'x' here"),
    ],
)
def test_another_setting_is_refused_in_one_sentence(setting, tmp_path, change, word):
    belongs(tmp_path, setting())
    before = (tmp_path / NAME).read_text()
    with pytest.raises(SteeringError, match=f"holds the work of another setting .*{word}"):
        belongs(tmp_path, setting(**change))
    assert (tmp_path / NAME).read_text() == before


def test_a_model_drawn_otherwise_is_told_by_how(toy_model, tmp_path):
    subjects = [load_subject("dog", "pocket", TINY)]
    belongs(tmp_path, run_fingerprint("study", toy_model, TINY, subjects))
    other = replace(toy_model, scheduler="sgm_uniform")
    with pytest.raises(SteeringError, match="scheduler is 'normal' there and 'sgm_uniform' here"):
        belongs(tmp_path, run_fingerprint("study", other, TINY, subjects))
    coarse = replace(toy_model, unet=deepcopy(toy_model.unet).to(torch.bfloat16))
    with pytest.raises(SteeringError, match="precision is 'float32' there and 'bfloat16' here"):
        belongs(tmp_path, run_fingerprint("study", coarse, TINY, subjects))


@pytest.mark.parametrize("damage", ["", "{", '{\n "command": "study",\n "model": NaN'])
def test_a_damaged_mark_is_made_again(setting, tmp_path, damage):
    (tmp_path / NAME).write_text(damage)
    with pytest.warns(UserWarning, match="was damaged"):
        belongs(tmp_path, setting())
    assert json.loads((tmp_path / NAME).read_text()) == setting()


@pytest.mark.parametrize("theirs", ["[]", "mine: yes", '{"a": NaN}'])
def test_a_stranger_s_file_of_that_name_stays(setting, tmp_path, theirs):
    (tmp_path / NAME).write_text(theirs)
    with pytest.raises(SteeringError, match="is no setting of ours"):
        belongs(tmp_path, setting())
    assert (tmp_path / NAME).read_text() == theirs


def test_a_stranger_s_folder_is_not_taken_over(setting, tmp_path):
    (tmp_path / "report.html").write_text("my own thesis")
    with pytest.raises(SteeringError, match=r"holds report\.html and no setting\.json of ours"):
        belongs(tmp_path, setting())
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_is_one_command_s_at_a_time_and_free_afterwards(setting, tmp_path):
    with work_in(tmp_path, setting()):
        with pytest.raises(SteeringError, match="another command works in"), work_in(tmp_path, setting()):
            pytest.fail("two at once")
        with pytest.raises(Timeout), FileLock(tmp_path / LOCK, timeout=0):
            pytest.fail("it is free")
    with pytest.raises(KeyboardInterrupt), work_in(tmp_path, setting()):
        raise KeyboardInterrupt
    with work_in(tmp_path, setting()):
        pass


def test_a_lock_of_something_else_that_times_out_inside_is_not_taken_for_ours(setting, tmp_path):
    with pytest.raises(Timeout), work_in(tmp_path / "work", setting()):
        raise Timeout("elsewhere")
