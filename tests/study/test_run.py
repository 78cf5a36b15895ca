import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from steering.diffusion import DiffusionModel
from steering.evaluate.metrics import ClipScore, PixelChange, PocketJudge
from steering.evaluate.prompts import Prompt, concept_folder
from steering.study.crew import Crew
from steering.study.plan import OTHER_SEED
from steering.study.report import write_study
from steering.study.run import Study, load_subject, planned
from steering.vector import SteeringVector

from .conftest import CONCEPTS, TINY, new_study, together


def test_every_arm_of_every_concept_is_drawn_and_measured(finished):
    study, _, _ = finished
    for subject in study.subjects:
        assert [arm.name for arm in subject.arms] == list(subject.readings)
        for arm in subject.arms:
            readings = subject.readings[arm.name]
            assert len(readings.items) == sum(arm.counts)
            assert all(path.is_file() for path in readings.pictures)
            for name in ("presence", "kept", "clip_prompt", "change_rms"):
                assert np.isfinite(readings.columns[name]).all()


def test_strength_zero_is_the_original_bit_for_bit_and_every_other_arm_is_not(finished):
    for subject in finished[0].subjects:
        for arm in subject.arms:
            same = subject.readings[arm.name].columns["identical"]
            assert same.all() if arm.group in ("original", "zero") else not same.all(), arm.name


def test_arms_share_prompts_and_seeds_but_for_the_other_seed(finished):
    for subject in finished[0].subjects:
        original = {item.name: item.seed for item in subject.readings["original"].items}
        for arm in subject.arms:
            for item in subject.readings[arm.name].items:
                assert (item.seed == original[item.name]) == (arm.repeat != OTHER_SEED), arm.name


def test_what_is_chosen_is_chosen_on_dev_and_kept_as_a_vector(finished):
    study, results, _ = finished
    for subject in study.subjects:
        chosen = results["concepts"][subject.concept.name]["chosen"]
        assert chosen in [{name: row[name] for name in chosen} for row in subject.finals]
        vector = SteeringVector.load(study.out / subject.concept.name / f"{subject.concept.name}.safetensors")
        assert vector.metadata["recommended"] == {"preset": chosen["preset"], "strength": chosen["strength"]}


def test_no_more_rows_than_were_announced(finished):
    assert 0 < finished[2] <= planned(TINY, len(CONCEPTS), 3.0)[2]


def fail_if_called(*_args, **_kwargs):
    pytest.fail("it was done again")


def without_timing(folder):
    names = ("rows.csv", "results.json", "table.md", "table.tex", "report.html")
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


def test_a_second_run_computes_nothing_anew_and_says_the_same(finished, monkeypatch):
    study, results, announced = finished
    before = without_timing(study.out)
    monkeypatch.setattr(DiffusionModel, "denoise", fail_if_called)
    for metric in (PocketJudge, ClipScore, PixelChange):
        monkeypatch.setattr(metric, "measure", fail_if_called)
    rows: list[int] = []
    again = new_study(study.out, progress=rows.append)
    again.run()
    assert json.dumps(write_study(again)) == json.dumps(results)
    assert without_timing(study.out) == before
    assert sum(rows) == announced


def test_what_a_stopped_study_has_drawn_is_not_drawn_again(finished, tmp_path, monkeypatch):
    whole = finished[0]
    study, real, count = new_study(tmp_path), DiffusionModel.denoise, [0]

    def stopping(self, *args, **kwargs):
        count[0] += 1
        if count[0] == 30:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    monkeypatch.setattr(DiffusionModel, "denoise", stopping)
    with pytest.raises(KeyboardInterrupt):
        study.run()
    assert not list((tmp_path / "claims").glob("*"))
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("pictures/*/unit.json")}
    assert kept
    calls = count[0] = 31
    new_study(tmp_path).run()
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    whole_calls = len(list(whole.out.glob("pictures/*/unit.json")))
    assert count[0] - calls <= whole_calls - len(kept) + 6  # what was under way, and captures in parts
    assert {p.parent.name for p in tmp_path.glob("pictures/*/unit.json")} == {
        p.parent.name for p in whole.out.glob("pictures/*/unit.json")
    }


@pytest.mark.parametrize("world", [2, 3])
def test_several_processes_write_the_report_that_one_writes(finished, tmp_path, world):
    threads = torch.get_num_threads()
    studies = [new_study(tmp_path, Crew(rank, world)) for rank in range(world)]
    torch.set_num_threads(threads)
    together(*(study.run for study in studies))
    for study in studies:
        write_study(study)
        assert without_timing(tmp_path) == without_timing(finished[0].out)


def test_one_of_three_processes_alone_does_all_of_it(finished, tmp_path):
    study = new_study(tmp_path, Crew(2, 3), replace(TINY, ks=(1,)))
    study.run()
    for subject in study.subjects:
        assert [arm.name for arm in subject.arms] == list(subject.readings)


def test_ones_own_target_prompts_take_the_place_of_the_test_set():
    own = [Prompt("target", f"a dog {i}", ("dog",), seed=i) for i in range(3)]
    subject = load_subject("dog", "pocket", TINY, own)
    targets = [prompt for prompt in subject.prompts["test"] if prompt.role == "target"]
    assert targets == own
    assert len(subject.prompts["test"]) == 203


def test_labels_that_the_embedded_judge_does_not_know_are_refused_at_once():
    with pytest.raises(ValueError, match="not unicorn"):
        load_subject("dog", "pocket", TINY, [Prompt("target", "a unicorn", ("unicorn",))])


def test_a_concept_without_siblings_is_studied_all_the_same(tmp_path):
    source, own = concept_folder("dog", "pocket"), tmp_path / "mine"
    own.mkdir()
    for name in ("concept.json", "fit.csv"):
        (own / name).write_bytes((source / name).read_bytes())
    for name in ("dev.csv", "test.csv"):
        lines = (source / name).read_text(encoding="utf-8").splitlines()
        (own / name).write_text("\n".join(line for line in lines if not line.startswith("sibling")), encoding="utf-8")
    study = new_study(tmp_path / "out", plan=replace(TINY, ks=(1,)))
    study.subjects = [load_subject(str(own), "pocket", study.plan)]
    study.run()
    arms = write_study(study)["concepts"]["dog"]["arms"]
    assert set(arms["chosen"]["lost"]) == {"unrelated"}


def test_concepts_must_differ(tmp_path):
    subject = load_subject("dog", "pocket", TINY)
    with pytest.raises(ValueError, match="dog, dog"):
        Study(None, TINY, [subject, subject], tmp_path, [])  # type: ignore[arg-type]
