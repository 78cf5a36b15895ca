import json
from dataclasses import replace

import pytest

from steering.models.diffusion import DiffusionModel
from steering.study.demo import FULL, QUICK, planned_rows, run_demo, with_prompts

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
    results = run_demo("dog", out, TINY, rows.append)
    return out, results, sum(rows)


def test_it_writes_everything_it_promises(finished):
    out, results, _ = finished
    for name in ("heatmap.png", "kinds.png", "gallery_fixed.png", "strip.png", "presence.png", "dog.safetensors"):
        assert (out / "dog" / name).is_file(), name
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "dog/gallery_fixed.png" in page
    assert json.loads((out / "results.json").read_text(encoding="utf-8")) == json.loads(json.dumps(results))
    assert not list(out.glob("**/*.tmp"))


def test_it_asks_what_it_says_and_no_more(finished):
    arms = finished[1]["concepts"]["dog"]["arms"]
    assert {arm["group"] for arm in arms.values()} == {"original", "study", "chosen", "control", "floor", "strength"}
    best = f"study_k{finished[1]['concepts']['dog']['study_k']}"
    assert set(arms[best]["lost"]) == {"sibling", "unrelated"}


def test_no_more_unet_calls_than_were_announced(finished):
    assert 0 < finished[2] <= planned_rows(TINY)


def test_a_second_run_computes_nothing_anew(finished, monkeypatch):
    out, results, _ = finished
    monkeypatch.setattr(DiffusionModel, "denoise", lambda *a, **k: pytest.fail("the UNet ran again"))
    assert json.dumps(run_demo("dog", out, TINY)) == json.dumps(results)


def test_fewer_prompts_are_fewer_in_every_arm():
    few = with_prompts(FULL, 2)
    assert few.test == few.best == (2, 2, 2)
    assert (few.kept, few.side) == ((2, 0, 0), (2, 0, 0))
