import json

import pytest

from steering.demo import Plan, planned_rows, run_demo

TINY = Plan(
    ks=(1, 2),
    dev=(2, 1, 1),
    finals=(3, 2, 2),
    test=(3, 2, 2),
    pairs=10,
    batch=10,
    strengths={"study": (2.5,), "selective": (3.0,)},
    ranks=(2,),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    rows = []
    results = run_demo("dog", out, TINY, rows.append)
    return out, results, sum(rows)


def test_it_writes_everything_it_promises(finished):
    out, results, _ = finished
    for name in (
        "report.html",
        "results.json",
        "scores.json",
        "heatmap.png",
        "kinds.png",
        "gallery.png",
        "presence.png",
        "strip.png",
        "dog.safetensors",
        "dog_activations.safetensors",
    ):
        assert (out / name).is_file(), name
    assert json.loads((out / "results.json").read_text(encoding="utf-8")) == json.loads(json.dumps(results))
    assert not list(out.glob("**/*.tmp"))


def test_the_json_has_the_promised_form(finished):
    _, results, _ = finished
    assert set(results) >= {
        "concept",
        "chosen",
        "n",
        "presets",
        "controls",
        "clip_change",
        "distance",
        "seconds",
        "report",
    }
    assert set(results["chosen"]) == {"preset", "k", "strength", "rank"}
    assert {"study", results["chosen"]["preset"]} == set(results["presets"])
    study = results["presets"]["study"]
    assert set(study["presence"]["steered"]) == {"1", "2"}
    assert 0 <= study["presence"]["original"] <= 100
    assert set(study["siblings"]) >= {"original", "steered"}
    assert set(results["controls"]) == {"sign_flip", "isotropic", "other_concept"}
    assert set(results["clip_change"]["1"]) == {"weakest", "mean", "strongest"}


def test_no_more_unet_calls_than_were_announced(finished):
    assert finished[2] <= planned_rows(TINY) + 2 * 2 * 30 * 10  # the two captures pad to whole batches


def test_a_second_run_computes_nothing_anew(finished, monkeypatch):
    out, results, _ = finished
    from steering.diffusion import DiffusionModel

    monkeypatch.setattr(DiffusionModel, "denoise", lambda *a, **k: pytest.fail("the UNet ran again"))
    again = run_demo("dog", out, TINY)
    assert {k: v for k, v in again.items() if k != "seconds"} == {k: v for k, v in results.items() if k != "seconds"}
