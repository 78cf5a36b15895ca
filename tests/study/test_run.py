import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from steering.concepts.prompts import concept_folder
from steering.evaluate.measures import Measures
from steering.evaluate.metrics import ClipScore, PixelChange, PocketJudge
from steering.files import read_tensors, write_tensors
from steering.models.diffusion import DiffusionModel
from steering.study.cluster import Setup, ray_pool
from steering.study.plan import OTHER_SEED, planned
from steering.study.pool import Bench
from steering.study.report import write_study
from steering.study.subject import check_subjects, load_subject
from steering.study.vectors import read_thresholds
from steering.vectors.recommendation import Recommendation
from steering.vectors.vector import SteeringVector

from .conftest import CONCEPTS, TINY, new_study, subjects


def test_every_arm_of_every_concept_is_drawn_and_measured(finished):
    for one in finished.measured:
        assert [arm.name for arm in one.arms] == list(one.measurements)
        for arm in one.arms:
            measurements = one.measurements[arm.name]
            assert len(measurements.items) == sum(arm.counts)
            assert all(path.is_file() for path in measurements.pictures)
            for name in ("presence", "kept", "clip_prompt", "change_rms"):
                assert np.isfinite(measurements.columns[name]).all()


def test_strength_zero_is_the_original_bit_for_bit_and_every_other_arm_is_not(finished):
    for subject in finished.measured:
        for arm in subject.arms:
            same = subject.measurements[arm.name].columns["identical"]
            assert same.all() if arm.group in ("original", "zero") else not same.all(), arm.name


def test_arms_share_prompts_and_seeds_but_for_the_other_seed(finished):
    for subject in finished.measured:
        original = {item.name: item.seed for item in subject.measurements["original"].items}
        for arm in subject.arms:
            for item in subject.measurements[arm.name].items:
                assert (item.seed == original[item.name]) == (arm.repeat != OTHER_SEED), arm.name


def test_what_is_chosen_is_chosen_on_dev_and_kept_as_a_vector(finished):
    for one in finished.measured:
        chosen = finished.results["concepts"][one.subject.name]["chosen"]
        assert chosen in [outcome.setting.to_json() for outcome in one.choice.finals]
        vector = SteeringVector.load(finished.study.out / one.subject.name / f"{one.subject.name}.safetensors")
        assert vector.recommended == Recommendation(chosen["preset"], chosen["strength"])


def test_no_more_rows_than_were_announced(finished):
    assert 0 < finished.rows <= planned(TINY, len(CONCEPTS), 0, 3.0)[2]


def fail_if_called(*_args, **_kwargs):
    pytest.fail("it was done again")


def without_timing(folder):
    names = ("rows.csv", "results.json", "table.md", "table.tex", "report.html")
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


def test_a_second_run_computes_nothing_anew_and_says_the_same(finished, monkeypatch):
    study, results, announced = finished.study, finished.results, finished.rows
    before = without_timing(study.out)
    monkeypatch.setattr(DiffusionModel, "denoise", fail_if_called)
    for metric in (PocketJudge, ClipScore, PixelChange):
        monkeypatch.setattr(metric, "measure", fail_if_called)
    rows: list[int] = []
    again = new_study(study.out, progress=rows.append)
    measured = again.run(subjects())
    assert json.dumps(write_study(again, measured).results) == json.dumps(results)
    assert without_timing(study.out) == before
    assert sum(rows) == announced


def test_what_a_stopped_study_has_drawn_is_not_drawn_again(finished, tmp_path, monkeypatch):
    whole = finished.study
    study, real, count = new_study(tmp_path), DiffusionModel.denoise, [0]

    def stopping(self, *args, **kwargs):
        count[0] += 1
        if count[0] == 30:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    monkeypatch.setattr(DiffusionModel, "denoise", stopping)
    with pytest.raises(KeyboardInterrupt):
        study.run(subjects())
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("pictures/*/unit.json")}
    assert kept
    calls = count[0] = 31
    new_study(tmp_path).run(subjects())
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    whole_calls = len(list(whole.out.glob("pictures/*/unit.json")))
    assert count[0] - calls <= whole_calls - len(kept) + 6  # what was under way, and captures in parts
    assert {p.parent.name for p in tmp_path.glob("pictures/*/unit.json")} == {
        p.parent.name for p in whole.out.glob("pictures/*/unit.json")
    }


@pytest.mark.slow
def test_a_study_on_three_nodes_that_lose_a_worker_and_a_node_writes_the_same_report(finished, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is the extra 'cluster'")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_worker_niceness", "0")  # or the workers wait for all other processes of this machine
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    drawn: list[int] = []

    def accident(rows):
        drawn.append(rows)
        if len(drawn) == 30:
            ray.kill(made._workers[0])
        if len(drawn) == 60:
            cluster.remove_node(nodes[1], allow_graceful=False)

    whole = finished.study
    setup = Setup.of("pocket", {"device": "cpu"}, Measures(), CONCEPTS, Bench(whole.model, whole.metrics))
    try:
        with ray_pool(setup, 3, cluster.address) as made:
            study = new_study(tmp_path, made, progress=accident)
            write_study(study, study.run(subjects()))
        assert len(drawn) > 60
        assert without_timing(tmp_path) == without_timing(whole.out)
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_a_concept_without_siblings_is_studied_all_the_same(tmp_path):
    source, own = concept_folder("dog", "pocket"), tmp_path / "mine"
    own.mkdir()
    for name in ("concept.json", "fit.csv"):
        (own / name).write_bytes((source / name).read_bytes())
    for name in ("dev.csv", "test.csv"):
        lines = (source / name).read_text(encoding="utf-8").splitlines()
        (own / name).write_text("\n".join(line for line in lines if not line.startswith("sibling")), encoding="utf-8")
    study = new_study(tmp_path / "out", plan=replace(TINY, ks=(1,)))
    measured = study.run([load_subject(str(own), "pocket", study.plan)])
    arms = write_study(study, measured).figures["dog"]
    assert set(arms["chosen"].losses) == {"unrelated"}


def test_concepts_must_differ():
    subject = load_subject("dog", "pocket", TINY)
    with pytest.raises(ValueError, match="dog, dog"):
        check_subjects([subject, subject])
    with pytest.raises(ValueError, match="none"):
        check_subjects([])


def test_whatever_is_damaged_is_made_again_and_the_rest_is_not(finished, tmp_path):
    """Files of every kind in a finished folder are cut, emptied and removed; the next run heals it and says so."""
    out = tmp_path / "copy"
    shutil.copytree(finished.study.out, out)
    ways = (lambda path: path.write_bytes(path.read_bytes()[:-20]), lambda path: path.write_bytes(b""), Path.unlink)
    kinds = ("pictures/*/unit.json", "pictures/*/00.png", "measured/*.npz", "*/activations.safetensors")
    damaged = 0
    for kind in (*kinds, "*/thresholds1.safetensors"):
        found = sorted(out.glob(kind))
        for path, way in zip(found[:: max(1, len(found) // 3)], ways, strict=False):
            way(path)
            damaged += path.is_file() or path.suffix == ".png"  # what is gone is only missed in a finished unit
    untouched = {path: path.stat().st_mtime_ns for path in out.glob("pictures/*/01.png")}
    study = new_study(out)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        results = write_study(study, study.run(subjects())).results
    assert results["concepts"] == finished.results["concepts"]
    # A unit may hold two of them.
    assert damaged >= sum("was damaged" in str(one.message) for one in said) >= damaged - 3
    assert sum(path.stat().st_mtime_ns != made for path, made in untouched.items()) <= 6


def test_thresholds_whose_contents_are_damaged_are_measured_again(finished, tmp_path):
    """The header is whole, so only reading it all shows it."""
    out = tmp_path / "copy"
    shutil.copytree(finished.study.out, out)
    path = out / "dog" / "thresholds1.safetensors"
    sound = read_thresholds(path)
    tensors, header = read_tensors(path, "thresholds", 1)
    tensors["in4.attn9"] = tensors.pop(next(iter(tensors)))
    write_tensors(path, tensors, "thresholds", 1, {"key": header["key"]})
    study = new_study(out)
    one, _ = study.prepare(subjects())
    with pytest.warns(UserWarning, match="was damaged and is made again"):
        again = study.calibrate(one, (1,)).vectors.thresholds[1]
    assert all(torch.equal(again[site], value) for site, value in sound.items())


def test_draws_of_a_control_take_turns_over_the_prompts(finished):
    for one in finished.measured:
        for name in ("sign_flip", "isotropic", "study_isotropic"):
            draws = [item.draw for item in one.measurements[name].items]
            assert sorted(draws) == ["0", "1", "2", "3", "4"]
        others = {item.draw for item in one.measurements["other_concept"].items}
        assert others == set(CONCEPTS) - {one.subject.name}
        assert {item.draw for item in one.measurements["chosen"].items} == {""}
