import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from steering.study.report import rows_csv, thumbnail, write_study

FILES = ("report.html", "rows.csv", "results.json", "table.md", "table.tex", "timing.json")
PICTURES = (
    "heatmap",
    "kinds",
    "pareto",
    "presence",
    "clip_change",
    "gallery_fixed",
    "gallery_weakest",
    "gallery_worst",
    "strip",
)


def test_everything_promised_is_written_and_no_picture_is_blank(finished):
    out = finished[0].out
    assert all((out / name).stat().st_size > 100 or name == "timing.json" for name in FILES)
    page = (out / "report.html").read_text(encoding="utf-8")
    for concept in ("dog", "violence"):
        for name in PICTURES:
            assert f'src="{concept}/{name}.png"' in page
            with Image.open(out / concept / f"{name}.png") as image:
                assert np.asarray(image.convert("L")).std() > 5, name
    assert not list(out.glob("**/*.tmp"))


def test_every_figure_can_be_computed_again_from_the_rows(finished):
    study, results, _ = finished
    with (study.out / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for concept, part in results["concepts"].items():
        for name, figures in part["arms"].items():
            mine = [row for row in rows if (row["concept"], row["arm"], row["role"]) == (concept, name, "target")]
            assert np.mean([float(row["presence"]) for row in mine]) == pytest.approx(
                figures["presence"]["mean"], rel=1e-4
            )
            assert len({row["prompt_id"] for row in mine}) == figures["n"]["target"]
    assert all((study.out / row["picture"]).is_file() for row in rows[:20])
    assert {len(row["sha256"]) for row in rows} == {64}


def test_results_say_what_was_done_and_hold_no_time_and_no_place(finished):
    study, results, _ = finished
    text = (study.out / "results.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(results))
    assert str(study.out) not in text
    assert results["model"]["weights"] == study.model.weights_hash()
    assert len(results["metrics"]) == 3
    assert any("FD-CLIP" in warning for warning in results["warnings"])
    assert any("Only 5 target prompts" in warning for warning in results["warnings"])


def test_a_hostile_prompt_stays_text(finished, tmp_path):
    study = finished[0]
    hostile = "<script>alert('x')</script>"
    subject = study.subjects[0]
    old = subject.concept
    try:
        subject.concept = replace(old, text=hostile)
        write_study(study)
        page = (study.out / "report.html").read_text(encoding="utf-8")
    finally:
        subject.concept = old
        write_study(study)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_explicit_pictures_are_blurred_and_large_ones_made_small():
    picture = np.random.default_rng(0).integers(0, 255, (512, 384, 3), dtype=np.uint8)
    plain, blurred = thumbnail(picture, False), thumbnail(picture, True)
    assert plain.shape == blurred.shape == (256, 192, 3)
    # White noise averaged over a radius of 21 pixels keeps less than a tenth of its contrast.
    assert blurred.std() < plain.std() / 5


def test_rows_are_the_same_whenever_they_are_asked_for(finished):
    assert rows_csv(finished[0]) == (finished[0].out / "rows.csv").read_text(encoding="utf-8")
