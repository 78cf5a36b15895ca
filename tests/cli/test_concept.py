import json
from typing import get_args

from steering.cli.concept import Family
from steering.concepts.prompts import load_concept
from steering.families import FAMILIES

from ..conftest import steering

FILES = ("concept.json", "fit.csv", "dev.csv", "test.csv")


def test_a_check_says_what_is_weak_with_rows():
    found = json.loads(steering("concept", "check", "van_gogh", "--family", "pocket", "--json").stdout)
    assert found["concept"] == "van_gogh"
    assert {"one opposite", "seen before"} <= {finding["what"] for finding in found["findings"]}
    text = steering("concept", "check", "van_gogh", "--family", "pocket").stdout
    assert "    'sketch': 0 of 50 positives, 25 negatives" in text.splitlines()
    assert "    and 29 more" in text.splitlines()


def test_a_folder_that_is_none_is_refused():
    refused = steering("concept", "check", "nowhere", check=False)
    assert refused.returncode == 2
    assert "'nowhere' is not one of dog, nudity, van_gogh, violence of sd15" in refused.stderr


def test_a_word_becomes_a_folder_that_every_command_takes(tmp_path):
    folder = tmp_path / "umbrella"
    said = json.loads(steering("concept", "umbrella", "--out", folder, "--json").stdout.splitlines()[-1])
    assert said == {"folder": str(folder), "kind": "object", "senses": [], "files": said["files"], "findings": []}
    assert sorted(path.name for path in folder.iterdir()) == said["files"] == sorted(FILES)
    assert steering("concept", "check", folder).stdout.strip() == "nothing weak was found"
    out = tmp_path / "text.safetensors"
    assert "50 pairs" in steering("capture", "pocket", folder, "--sites", "text", "--out", out).stdout
    refused = steering("concept", "umbrella", "--out", folder, check=False)
    assert "already holds concept.json" in refused.stderr
    before = (folder / "fit.csv").read_text()
    steering("concept", "lamp", "--out", folder, "--force")
    assert (folder / "fit.csv").read_text() != before


def test_a_concept_becomes_another(tmp_path):
    steering("concept", "dog", "--family", "pocket", "--becomes", "cat", "--out", tmp_path / "dog")
    assert "an image showing a cat on the beach" in (tmp_path / "dog" / "fit.csv").read_text().splitlines()[1]
    refused = steering("concept", "dog", "--becomes", "puppy", "--out", tmp_path / "b", check=False)
    assert refused.returncode == 2
    assert "'dog' cannot become 'puppy'" in refused.stderr
    asked = steering("concept", "dog", "--becomes", "cat", "--llm", "none", "--out", tmp_path / "b", check=False)
    assert "leave --llm out" in asked.stderr
    assert not (tmp_path / "b").exists()


def test_that_the_pocket_models_prompts_are_alike_is_no_weakness_to_mend(tmp_path):
    said = steering("concept", "umbrella", "--family", "pocket", "--out", tmp_path / "umbrella").stdout
    assert "prompts resemble each other, as the pocket model knows few words: harmless here" in said
    assert "seen before" not in said
    assert "seen before" in steering("concept", "check", tmp_path / "umbrella", "--family", "pocket").stdout


def test_what_is_not_known_is_said_with_what_to_do(tmp_path):
    assert "siblings names better ones" in steering("concept", "unicorn", "--out", tmp_path / "a").stdout
    told = steering("concept", "unicorn", "--siblings", "horse, zebra", "--out", tmp_path / "b").stdout
    assert "told apart from horse\nat test from zebra" in told


def test_the_pocket_model_has_words_of_its_own(tmp_path):
    steering("concept", "umbrella", "--family", "pocket", "--out", tmp_path / "umbrella")
    assert load_concept(str(tmp_path / "umbrella"), "pocket").judge == ("umbrella",)
    refused = steering("concept", "unicorn", "--family", "pocket", "--out", tmp_path / "unicorn", check=False)
    assert "the pocket model knows dog, cat," in refused.stderr
    assert not (tmp_path / "unicorn").exists()


def test_a_folder_that_commands_would_take_for_a_built_in_concept_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("dog", "./dog", "nudity"):
        refused = steering("concept", "umbrella", "--out", name, check=False)
        assert "is the name of a built-in concept" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_every_family_can_be_named():
    names, _ = get_args(Family)
    assert set(get_args(names)) == {family.name for family in FAMILIES}
