import json
from dataclasses import replace
from html import escape

import numpy as np
from PIL import Image

from steering.study.report import _of_another, write_study

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


def test_the_page_begins_with_a_sentence_and_pictures_of_every_concept(finished):
    page = (finished.study.out / "report.html").read_text(encoding="utf-8")
    for concept in ("dog", "violence"):
        said = finished.results["concepts"][concept]["summary"]
        assert said.startswith(f"5 prompts with {concept}; presence of it, of 100: ")
        assert f"<b>{escape(said)}</b>" in page[: page.index("<nav>")]
        assert f'src="{concept}/' in page[: page.index("<nav>")]


def test_a_vector_of_another_concept_is_told(finished, tmp_path):
    (first, *_), path = finished.measured, tmp_path / "v.safetensors"
    chosen = first.vector(next(arm for arm in first.arms if arm.name == "chosen"))
    for concept, told in (("dog", False), ("dog and cat", False), ("tree", True), ("", False)):
        replace(chosen, metadata={**chosen.metadata, "concept": concept}).save(path)
        arms = [
            replace(arm, setting=replace(arm.setting, vector=str(path)), group="steered") for arm in first.arms[-1:]
        ]
        assert bool(_of_another(replace(first, arms=arms))) == told


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
