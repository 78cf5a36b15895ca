import json
from dataclasses import replace

import numpy as np
from PIL import Image

from steering.study.report import write_study

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
    out = finished.study.out
    assert all((out / name).stat().st_size > 100 or name == "timing.json" for name in FILES)
    page = (out / "report.html").read_text(encoding="utf-8")
    for concept in ("dog", "violence"):
        for name in PICTURES:
            assert f'src="{concept}/{name}.png"' in page
            with Image.open(out / concept / f"{name}.png") as image:
                assert np.asarray(image.convert("L")).std() > 5, name
    assert not list(out.glob("**/*.tmp"))


def test_results_say_what_was_done_and_hold_no_time_and_no_place(finished):
    study, results = finished.study, finished.results
    text = (study.out / "results.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(results))
    assert str(study.out) not in text
    assert results["model"]["weights"] == study.model.weights_hash()
    assert len(results["metrics"]) == 3
    assert any("FD-CLIP" in warning for warning in results["warnings"])
    assert any("Only 5 target prompts" in warning for warning in results["warnings"])


def test_a_hostile_prompt_stays_text(finished, tmp_path):
    study, (first, *others) = replace(finished.study, out=finished.study.out), finished.measured
    hostile = "<script>alert('x')</script>"
    subject = replace(first.subject, concept=replace(first.subject.concept, text=hostile))
    try:
        write_study(study, [replace(first, subject=subject), *others])
        page = (study.out / "report.html").read_text(encoding="utf-8")
    finally:
        write_study(study, finished.measured)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
