"""``steering demo`` as a user types it."""

import json

from steering.study import demo

from ..conftest import steering


def test_the_demo_says_what_it_will_do_and_what_came_out(tmp_path, monkeypatch):
    asked = {}

    def run(concept, out, plan, progress):
        asked.update(concept=concept, out=out, plan=plan)
        interval = {"mean": 50.0, "low": 40.0, "high": 60.0}
        lost = {role: {"loss": interval, "bound": 5.0, "equivalence_p": 0.5} for role in ("sibling", "unrelated")}
        arms = {
            "original": {"group": "original", "n": {"target": 6}, "presence": interval, "lost": {}},
            "chosen": {"group": "chosen", "n": {"target": 6}, "presence": {**interval, "mean": 12.3}, "lost": lost},
        }
        chosen = {"preset": "precise", "strength": 1.0, "k": 5, "rank": 1}
        return {"concepts": {concept: {"chosen": chosen, "arms": arms}}}

    monkeypatch.setattr(demo, "run_demo", run)
    done = steering("demo", "--quick", "--out", tmp_path, "--prompts", 4, "--json")
    assert asked["concept"] == "dog"
    assert asked["out"] == tmp_path / "dog_quick_4"
    assert asked["plan"].test == (4, 4, 4)
    said = json.loads(done.stdout)
    assert said["presence"] == {"original": 50.0, "chosen": 12.3}
    assert said["report"] == str(tmp_path / "dog_quick_4" / "report.html")
    assert "12.3 [40.0, 60.0]" in done.stderr
    assert "chosen on dev: precise, k = 5" in done.stderr


def test_an_unknown_concept_is_refused_in_one_sentence(tmp_path):
    done = steering("demo", "--concept", "unicorn", "--out", tmp_path, check=False)
    assert done.returncode == 2
    assert "concept 'unicorn' is not one of" in done.stderr
