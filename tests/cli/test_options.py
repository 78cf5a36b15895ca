from pathlib import Path

import pytest

from steering.cli.options import answer, file_and_strength, new_file, progress


def test_a_vector_may_carry_its_strength(tmp_path):
    odd = tmp_path / "a:2"
    odd.write_text("x", encoding="utf-8")
    assert file_and_strength("v.safetensors:2.5") == ("v.safetensors", 2.5)
    assert file_and_strength("v.safetensors") == ("v.safetensors", None)
    assert file_and_strength(str(odd)) == (str(odd), None)
    with pytest.raises(ValueError, match="with a number"):
        file_and_strength("v.safetensors:strong")


def test_places_that_cannot_take_a_file_are_refused(tmp_path):
    assert new_file(tmp_path / "a.png", ".png") == tmp_path / "a.png"
    for path, words in ((tmp_path / "a.jpg", "must end in .png"), (tmp_path / "d.png", "not a place")):
        (tmp_path / "d.png").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match=words):
            new_file(Path(path), ".png")


def test_answers_go_to_standard_output_and_progress_does_not(capsys):
    with progress(3, "x") as update:
        update(3)
    answer({"a": 1}, True, "text")
    answer({"a": 1}, False, "text")
    assert capsys.readouterr().out == '{"a": 1}\ntext\n'
