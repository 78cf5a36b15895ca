import shutil
from pathlib import Path

import numpy as np
import pytest

from steering.cli.options import file_and_strength, new_file
from steering.errors import SteeringError

from ..conftest import steering


def test_a_vector_may_carry_its_strength(tmp_path):
    odd = tmp_path / "a:2"
    odd.write_text("x", encoding="utf-8")
    assert file_and_strength("v.safetensors:2.5") == ("v.safetensors", 2.5)
    assert file_and_strength("v.safetensors") == ("v.safetensors", None)
    assert file_and_strength(str(odd)) == (str(odd), None)
    with pytest.raises(ValueError, match="with a number"):
        file_and_strength("v.safetensors:strong")


def test_places_that_cannot_take_a_file_are_refused(tmp_path):
    new_file(tmp_path / "a.png", "picture")
    for path, words in ((tmp_path / "a.jpg", "must end in .png"), (tmp_path / "d.png", "not a place")):
        (tmp_path / "d.png").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match=words):
            new_file(Path(path), "picture")


def test_an_input_and_a_stranger_s_file_are_not_replaced(tmp_path):
    from steering.plots.pictures import save_picture

    stranger, ours = tmp_path / "a.png", tmp_path / "b.png"
    stranger.write_bytes(b"a holiday")
    save_picture(np.zeros((8, 8, 3), np.uint8), ours)
    with pytest.raises(SteeringError, match=r"exists and is no picture of ours; .* --force"):
        new_file(stranger, "picture")
    new_file(stranger, "picture", force=True)
    new_file(ours, "picture")
    for force in (False, True):
        with pytest.raises(SteeringError, match="is also read by this command"):
            new_file(ours, "picture", inputs=["pocket", ours], force=force)


def test_no_command_replaces_what_it_reads_or_what_is_not_its_own(made, tmp_path):
    acts, vector = tmp_path / "acts.safetensors", tmp_path / "v.safetensors"
    shutil.copy(made / "acts.safetensors", acts)
    shutil.copy(made / "v.safetensors", vector)
    before = {path: path.read_bytes() for path in (acts, vector)}
    for words in (
        ("build", acts, "--out", acts),
        ("build", acts, "--out", vector, "--background", vector),
        ("combine", vector, vector, "--out", vector),
        ("export-lora", vector, "pocket", "--out", vector),
        ("capture", "pocket", "dog", "--out", vector),
        ("export-lora", vector, "pocket", "--out", acts),
        ("tune", "pocket", "dog", "--out", acts),
    ):
        done = steering(*words, check=False)
        assert done.returncode == 2, words
        assert "name another file" in done.stderr
    assert before == {path: path.read_bytes() for path in (acts, vector)}
    assert sorted(tmp_path.iterdir()) == [acts, vector]
    assert steering("build", acts, "--out", vector, "--top-k", 2).returncode == 0  # a vector of ours, made anew
    assert vector.read_bytes() != before[vector]


def test_foreign_files_that_look_a_little_like_ours_are_not_ours(tmp_path):
    notes, music = tmp_path / "notes.png", tmp_path / "music.json"
    notes.write_bytes(b"\x89PNG about Activation Steering: my notes")
    music.write_text('{"mode": "dorian", "sigmas": 1, "sites": 2, "mine": 3}')
    for path, kind in ((notes, "picture"), (music, "scores")):
        with pytest.raises(SteeringError, match="of ours"):
            new_file(path, kind)


def test_combine_takes_at_least_one_vector():
    done = steering("combine", check=False)
    assert done.returncode == 2
    assert "at least one" in done.stderr


def test_evaluate_writes_its_control_over_nothing_that_it_reads(made, tmp_path):
    vector = tmp_path / "isotropic.safetensors"
    shutil.copy(made / "v.safetensors", vector)
    before = vector.read_bytes()
    small = ("--size", 64, "--steps", 2, "--prompts", 2)
    done = steering("evaluate", "pocket", "dog", "--vector", vector, "--out", tmp_path, *small, check=False)
    assert (done.returncode, vector.read_bytes()) == (2, before)
    assert [path.name for path in tmp_path.iterdir()] == ["isotropic.safetensors"]
