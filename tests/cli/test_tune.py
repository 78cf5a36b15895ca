"""``steering tune`` as a user types it."""

import json
from dataclasses import replace

import pytest
from PIL import Image

from steering.files import read_header
from steering.tune import search

from ..conftest import steering

SMALL = ["--quick", "--pairs", 4, "--steps", 2, "--size", 64, "--batch", 8]


def test_tune_writes_a_vector_that_generate_uses_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "QUICK", replace(search.QUICK, trials=4))
    out = tmp_path / "dog.safetensors"
    done = steering("tune", "pocket", "dog", "--out", out, *SMALL, "--exportable", "--json")
    said = json.loads(done.stdout)
    assert "all dev prompts" in done.stderr
    assert said["setting"].startswith("lora")
    advice = read_header(out)["recommended"]
    with Image.open(tmp_path / "dog_tune" / "pareto.png") as image:
        assert image.width > 300
    assert len(json.loads((tmp_path / "dog_tune" / "tune.json").read_text())["trials"]) > 1
    drawn = ["generate", "pocket", "--prompt", "a dog", "--steps", 2, "--size", 64, "--json"]
    used = json.loads(steering(*drawn, "--vector", out, "--out", tmp_path / "a.png").stdout)["vectors"][0]
    assert (used["strength"], used["half"]) == (advice["strength"], "both")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing", "--out", "x.safetensors"], "concept 'nothing' is not one of"),
        (["dog", "--out", "x.png"], "must end in .safetensors"),
    ],
)
def test_bad_words_are_refused_in_one_sentence(words, message):
    done = steering("tune", "pocket", *words, check=False)
    assert done.returncode == 2
    assert message in done.stderr
