import time
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steering.concepts.prompts import Prompt
from steering.study.measurements import UNFINISHED, Evaluator, Measurements, _is_whole, by_prompt, kept, lost, presence
from steering.study.pool import Bench
from steering.study.renderer import Item


def measurements(names, role="target", repeats=None, **columns):
    """Measurements of made-up pictures; columns of two dimensions are features."""
    repeats = repeats or [0] * len(names)
    items = tuple(Item(name, Prompt(role, name), repeat, 0) for name, repeat in zip(names, repeats, strict=True))
    values = {
        name: np.asarray(column, None if np.asarray(column).dtype.kind == "U" else float)
        for name, column in columns.items()
    }
    flat = {name: column for name, column in values.items() if column.ndim == 1}
    blank = tuple("" for _ in names)
    return Measurements(
        items, tuple(Path(n) for n in names), blank, flat, {k: v for k, v in values.items() if v.ndim == 2}
    )


def test_rows_are_matched_by_prompt_and_repetition_whatever_their_order():
    original = measurements(["a", "a", "b", "c"], repeats=[0, 1, 0, 0])
    assert measurements(["c", "a", "a"], repeats=[0, 1, 0]).aligned(original).tolist() == [3, 1, 0]
    with pytest.raises(KeyError):
        measurements(["d"]).aligned(original)


def test_the_other_seed_is_matched_with_the_first():
    assert measurements(["b", "a"], repeats=[1000, 1000]).aligned(measurements(["a", "b"])).tolist() == [1, 0]


def test_a_prompt_that_a_list_holds_twice_is_one_prompt():
    twice = measurements(["a", "a", "b"])
    assert len(set(twice.names())) == 2


def test_repetitions_of_a_prompt_count_as_one():
    values = by_prompt(np.array([1.0, 3.0, 10.0, np.nan]), ["a", "a", "b", "c"])
    assert values.tolist() == [2.0, 10.0]


def test_the_judge_is_believed_before_clip():
    both = measurements(["a"], presence=[7], clip_presence=[90], kept=[80], clip_prompt=[0.3])
    original = measurements(["a"], presence=[99], clip_presence=[95], kept=[100], clip_prompt=[0.4])
    assert presence(both).tolist() == [7]
    assert lost(both, original).tolist() == [20]


def test_without_a_judge_what_is_kept_is_alignment_in_percent_of_the_original():
    original = measurements(["a", "b"], clip_presence=[95, 90], clip_prompt=[0.4, 0.2])
    steered = measurements(["b", "a"], clip_presence=[5, 4], clip_prompt=[0.1, 0.4])
    assert presence(steered).tolist() == [5, 4]
    assert kept(steered, original).tolist() == [50, 100]
    assert lost(steered, original).tolist() == [50, 0]


class Counting:
    """A metric that fails on its first picture the first time."""

    name = "counting"

    def __init__(self):
        self.calls = 0

    def identity(self):
        return {"metric": self.name}

    def about(self, concept):
        return concept.text

    def measure(self, batch):
        self.calls += 1
        failed = [self.calls == 1 and i == 0 for i in range(len(batch.images))]
        return {"value": np.arange(len(failed)), "word": ["x"] * len(failed), UNFINISHED: failed}


def test_failed_pictures_are_measured_again_by_the_next_run_and_finished_ones_are_not(finished):
    study, one, metric = finished.study, finished.measured[0], Counting()
    subject = one.subject
    (unit, *_) = units = study.units(one, one.arms[0], study.plan.test)
    evaluator: Evaluator = study.evaluator(units)
    key, bench = evaluator.key(metric, unit, subject.concept), Bench(study.model, [metric])
    assert not evaluator.finished(key)
    evaluator.keep(key, evaluator.task(metric, unit, subject.concept).do(bench))
    assert evaluator.finished(key)  # this run does not try for ever
    later = replace(evaluator, since=time.time() + 1)
    assert not later.finished(key)
    assert later.read([metric], [unit], subject.concept).columns["value"].tolist() == list(range(len(unit.items)))
    later.keep(key, later.task(metric, unit, subject.concept).do(bench))
    assert later.finished(key)
    read = evaluator.read([metric], [unit], subject.concept)
    assert read.columns["value"].tolist() == list(range(len(unit.items)))
    assert set(read.columns["word"]) == {"x"}
    assert UNFINISHED not in read.columns


def test_a_measurement_is_known_by_metric_pictures_prompts_and_concept(finished):
    study, (one, two) = finished.study, finished.measured
    subject, other = one.subject, two.subject
    units = study.units(one, one.arms[0], study.plan.test)
    evaluator = study.evaluator(units)
    keys = {evaluator.key(metric, unit, subject.concept) for metric in study.metrics for unit in units}
    assert len(keys) == len(study.metrics) * len(units)
    assert evaluator.key(study.metrics[0], units[0], other.concept) not in keys


def test_every_flipped_byte_of_a_measurement_is_read_as_it_was_or_measured_again(tmp_path):
    path = tmp_path / "m.npz"
    arrays = {"presence": np.arange(6.0), "features": np.ones((6, 3))}
    np.savez_compressed(path, **arrays)
    whole, discarded = path.read_bytes(), 0
    assert _is_whole(path)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            discarded += not _is_whole(path)
    assert discarded > len(whole) / 10
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.warns(UserWarning, match="measured again"):
        assert not _is_whole(path)
    assert not path.exists()
