import json
from pathlib import Path

import pytest

from steering.concepts.prompts import Prompt, concept_name, load_concept, load_prompts, read_prompts, take
from steering.errors import SteeringError


def test_a_concept_and_its_prompts_load():
    assert load_concept("violence").judge == ("knife", "bomb")
    prompts = load_prompts("dog", "test")
    assert len(prompts) == 300
    assert all("dog" in p.shows for p in prompts if p.role == "target")
    with pytest.raises(FileNotFoundError, match="dog, van_gogh, violence"):
        load_concept("unicorn")


def test_take_spreads_over_the_list():
    prompts = load_prompts("dog", "test")
    few = take(prompts, "target", 10)
    assert len({p.text for p in few}) == 10
    assert any("Van Gogh" in p.text for p in few)
    assert take(prompts, "target", 1000) == [p for p in prompts if p.role == "target"]


def test_lists_in_use_drop_in_with_their_own_seeds_and_guidance(tmp_path):
    path = tmp_path / "i2p.csv"
    path.write_text(
        '\ufeffprompt,categories,sd_seed,sd_guidance_scale\n"a street, at night",violence,1234567890,7.5\nx,,,\n',
        encoding="utf-8",
    )
    first, second = read_prompts(path)
    assert first == Prompt("target", "a street, at night", (), "", 1234567890, 7.5)
    assert second == Prompt("target", "x")


def test_json_lines_and_plain_text_are_read_too(tmp_path):
    lines = [{"prompt": "a", "role": "sibling", "shows": "cat frog", "rest": "b", "seed": 3}, {"prompt": "c"}]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")
    assert read_prompts(tmp_path / "p.jsonl") == [
        Prompt("sibling", "a", ("cat", "frog"), "b", 3),
        Prompt("target", "c"),
    ]
    (tmp_path / "p.txt").write_text("# mine\na dog, running\n\na cat\n", encoding="utf-8")
    assert [prompt.text for prompt in read_prompts(tmp_path / "p.txt")] == ["a dog, running", "a cat"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.csv", "text\na\n", "columns prompt"),
        ("p.csv", "prompt,seed\na,1\nb,many\n", "line 3: seed .* 'many'"),
        ("p.csv", "prompt,seed\na,-1\n", "whole number"),
        ("p.csv", "prompt,guidance\na,nan\n", "must be a number"),
        ("p.csv", "prompt,role\na,hero\n", "'hero'"),
        ("p.csv", "prompt\n  \n", "holds no prompts"),
        ("p.csv", "prompt\n", "holds no prompts"),
        ("p.jsonl", "{", "line 1, does not hold the JSON"),
        ("p.jsonl", "[1]", "where a JSON object should be"),
        ("p.xlsx", "", r"\.csv, \.jsonl, \.txt"),
    ],
)
def test_bad_lists_are_refused_with_their_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_prompts(tmp_path / name)


def test_a_folder_of_ones_own_is_a_concept(tmp_path):
    about = {"name": "my_cat", "text": "a cat", "explicit": True, "rubric": {"0": "none"}}
    (tmp_path / "concept.json").write_text(json.dumps(about), encoding="utf-8")
    made = load_concept(str(tmp_path))
    assert (made.name, made.text, made.explicit, made.judge, dict(made.rubric)) == (
        "my_cat",
        "a cat",
        True,
        (),
        {"0": "none"},
    )
    assert made.contrasts
    (tmp_path / "concept.json").write_text(json.dumps({**about, "contrasts": []}), encoding="utf-8")
    assert load_concept(str(tmp_path)).contrasts == made.contrasts  # of one text alone CLIP would always be sure
    for wrong in ({"name": "a/b", "text": "x"}, {"name": "a"}, [1]):
        (tmp_path / "concept.json").write_text(json.dumps(wrong), encoding="utf-8")
        with pytest.raises(ValueError, match=r"concept\.json"):
            load_concept(str(tmp_path))


@pytest.mark.parametrize("family", ["pocket", "sd15"])
def test_built_in_targets_know_what_is_left_without_the_concept(family):
    for name in ("dog", "van_gogh", "violence"):
        concept, prompts = load_concept(name, family), load_prompts(name, "test", family)
        assert len(concept.contrasts) >= 2
        assert set(concept.rubric) == {"0", "25", "50", "75", "100"}
        assert all(bool(prompt.rest) == (prompt.role == "target") for prompt in prompts)
        assert all(prompt.rest != prompt.text for prompt in prompts)


def test_empty_rows_are_left_out_and_counted(tmp_path):
    (tmp_path / "i2p.csv").write_text("prompt,sd_seed\na dog,3\n,4\n  ,5\na cat,6\n")
    with pytest.warns(UserWarning, match="2 of 4 rows hold no prompt"):
        prompts = read_prompts(tmp_path / "i2p.csv")
    assert [(prompt.text, prompt.seed) for prompt in prompts] == [("a dog", 3), ("a cat", 6)]


@pytest.mark.parametrize(
    "about",
    [
        {"name": "CON", "text": "x"},
        {"name": "a" * 5000, "text": "x"},
        {"name": "a\nb", "text": "x"},
        {"name": "../a", "text": "x"},
        {"name": "a", "text": "x", "rubric": ["0"]},
        {"name": "a", "text": "x", "rubric": {"0": 1}},
        {"name": "a", "text": "\0"},
    ],
)
def test_concepts_that_no_folder_or_question_can_hold_are_refused(tmp_path, about):
    (tmp_path / "concept.json").write_text(json.dumps(about))
    with pytest.raises(SteeringError) as found:
        load_concept(str(tmp_path))
    assert len(str(found.value)) < 400


def test_pairs_are_named_by_their_concept(tmp_path):
    assert concept_name(Path("dog")) == "dog"  # built in
    mine, bare = tmp_path / "set1", tmp_path / "key"
    for folder in (mine, bare):
        folder.mkdir()
        (folder / "fit.csv").write_text("positive,negative\na,b\n", encoding="utf-8")
    (mine / "concept.json").write_text('{"name": "umbrella", "text": "an umbrella"}', encoding="utf-8")
    assert concept_name(mine) == concept_name(mine / "fit.csv") == "umbrella"
    assert concept_name(bare / "fit.csv") == "key"
    assert concept_name(tmp_path / "dogs.csv") == "dogs"
