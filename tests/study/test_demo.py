import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from steering.concepts.prompts import load_prompts
from steering.models.diffusion import DiffusionModel
from steering.models.loading import load_model
from steering.study.demo import FULL, QUICK, planned_rows, run_demo, summary, with_prompts
from steering.study.renderer import read_picture

TINY = replace(
    QUICK,
    ks=(1, 2),
    strengths=(1.0,),
    dev=(2, 1, 1),
    finals=(2, 2, 2),
    test=(3, 2, 2),
    kept=(3, 0, 0),
    best=(3, 2, 2),
    side=(2, 0, 0),
    pairs=4,
    steps=3,
    size=64,
    batch=4,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    rows = []
    written = run_demo("dog", out, TINY, rows.append)
    return out, written, sum(rows)


def test_it_writes_everything_it_promises(finished):
    out, written, _ = finished
    for name in ("heatmap.png", "kinds.png", "gallery_fixed.png", "strip.png", "presence.png", "dog.safetensors"):
        assert (out / "dog" / name).is_file(), name
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "dog/gallery_fixed.png" in page
    assert json.loads((out / "results.json").read_text(encoding="utf-8")) == json.loads(json.dumps(written.results))
    assert not list(out.glob("**/*.tmp"))


def test_it_asks_what_it_says_and_no_more(finished):
    written = finished[1]
    arms = written.figures["dog"]
    groups = {"original", "counterfactual", "study", "chosen", "control", "floor", "strength"}
    assert {arm.group for arm in arms.values()} == groups
    best = f"study_k{written.results['concepts']['dog']['study_k']}"
    assert set(arms[best].losses) == {"sibling", "unrelated"}


def test_its_summary_holds_the_five_parts_of_each_arm_that_counts(finished):
    written = finished[1]
    said = json.loads(json.dumps(summary("dog", written)))
    assert list(said) == ["concept", "chosen", "n", "target", "siblings", "unrelated", "controls"]
    assert list(said["target"]) == ["original", "projection", "chosen"]
    for parts in (*said["target"].values(), *said["controls"].values()):
        assert list(parts) == ["presence", "debris", "kept", "clean", "counterfactual"]
    assert said["target"]["original"]["counterfactual"] == pytest.approx(100, abs=0.01)
    assert said["target"]["chosen"]["presence"] == round(written.figures["dog"]["chosen"].presence.mean, 2)
    for role in ("siblings", "unrelated"):
        assert list(said[role]) == ["projection", "chosen"]
        assert list(said[role]["chosen"]) == ["loses", "bound", "gains_concept"]


def test_the_counterfactual_is_the_prompt_without_the_concept_from_the_same_noise(finished):
    out, written, _ = finished
    found = written.figures["dog"]["counterfactual"]
    assert set(found.removal.counterfactual) == {"judge", "CLIP"}
    assert all(far.mean == pytest.approx(0, abs=1e-6) for far in found.removal.counterfactual.values())
    with (out / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["arm"] == "counterfactual"]
    rests = {prompt.text: prompt.rest for prompt in load_prompts("dog", "test")}
    assert rows and all(rests[row["prompt"]] != row["prompt"] for row in rows)
    texts, seeds = [rests[row["prompt"]] for row in rows], [int(row["seed"]) for row in rows]
    drawn = load_model("pocket", "cpu").generate(texts, seed=seeds, steps=TINY.steps, size=TINY.size)
    for row, picture in zip(rows, drawn, strict=True):
        # To the last bit a picture depends on how many share its batch: a grey level of rounding.
        assert np.abs(read_picture(out / row["picture"]).astype(int) - picture).max() <= 1


def test_no_more_unet_calls_than_were_announced(finished):
    assert 0 < finished[2] <= planned_rows(TINY)


def test_a_second_run_computes_nothing_anew(finished, monkeypatch):
    out, written, _ = finished
    monkeypatch.setattr(DiffusionModel, "denoise", lambda *a, **k: pytest.fail("the UNet ran again"))
    assert json.dumps(run_demo("dog", out, TINY).results) == json.dumps(written.results)


def test_fewer_prompts_are_fewer_in_every_arm():
    few = with_prompts(FULL, 2)
    assert few.test == few.best == (2, 2, 2)
    assert (few.kept, few.side) == ((2, 0, 0), (2, 0, 0))
