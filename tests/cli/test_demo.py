"""``steering demo`` as a user types it."""

import json

from steering.evaluate.statistics import Estimate
from steering.study import demo
from steering.study.records import ArmFigures, Loss, Removal
from steering.study.report import StudyReport

from ..conftest import steering


def arm(group, presence):
    blank = {"clip": {}, "change_rms": 1.0, "identical": False, "clip_image": None, "distance": {}, "lpips": {}}
    parts = Removal(
        presence, Estimate(4, 1, 9, 6), None, Estimate(80, 60, 90, 6), {"CLIP": Estimate(0.25, 0, 1, 6)}, {}
    )
    loss = Loss(90.0, Estimate(2, 1, 3, 4), 5.0, False, Estimate(1, 0, 2, 4))
    losses = {"sibling": loss, "unrelated": loss}
    n = {"target": 6, "sibling": 4, "unrelated": 4}
    return ArmFigures(group, n, parts, presence, 0.01, losses=losses, nudity={}, judge=None, **blank)


def written(concept):
    chosen = {"preset": "precise", "strength": 1.0, "k": 5, "rank": 1}
    arms = {
        "original": arm("original", Estimate(90, 80, 99, 6)),
        "study_k5": arm("study", Estimate(50, 40, 60, 6)),
        "chosen": arm("chosen", Estimate(12.3, 10, 15, 6)),
    }
    return StudyReport({"concepts": {concept: {"chosen": chosen, "study_k": 5}}}, {concept: arms})


def test_the_demo_says_what_it_will_do_and_what_came_out(tmp_path, monkeypatch):
    asked = {}

    def run(concept, out, plan, progress):
        asked.update(concept=concept, out=out, plan=plan)
        return written(concept)

    monkeypatch.setattr(demo, "run_demo", run)
    done = steering("demo", "--quick", "--out", tmp_path, "--prompts", 4, "--json")
    assert asked["concept"] == "dog"
    assert asked["out"] == tmp_path / "dog_quick_4"
    assert asked["plan"].test == (4, 4, 4)
    said = json.loads(done.stdout)
    assert said["target"]["chosen"] == {
        **{"presence": 12.3, "debris": 4.0, "kept": None, "clean": 80.0, "counterfactual": 25.0}
    }
    assert said["siblings"]["projection"] == {"loses": 2.0, "bound": 5.0, "gains_concept": 1.0}
    assert said["seconds"] >= 0
    assert said["report"] == str(tmp_path / "dog_quick_4" / "report.html")
    assert "80 [60, 90]" in done.stderr
    assert "12.3" in done.stderr
    assert "chosen on dev: precise, k = 5" in done.stderr


def test_an_unknown_concept_is_refused_in_one_sentence(tmp_path):
    done = steering("demo", "--concept", "unicorn", "--out", tmp_path, check=False)
    assert done.returncode == 2
    assert "concept 'unicorn' is not one of" in done.stderr
