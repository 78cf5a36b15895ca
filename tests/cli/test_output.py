import pytest

from steering.cli.output import answer, progress

from ..conftest import steering


def test_answers_go_to_standard_output_and_progress_does_not(capsys):
    with progress(3, "x") as update:
        update(3)
    answer({"a": 1}, True, "text")
    answer({"a": 1}, False, "text")
    assert capsys.readouterr().out == '{"a": 1}\ntext\n'


@pytest.mark.parametrize("length", range(40, 120, 7))
def test_a_sentence_is_one_line_however_long_its_path_is(length, tmp_path):
    """So that the path can be copied; a terminal folds it at its own edge."""
    folder = tmp_path / ("x" * length)
    folder.mkdir()
    (folder / "concept.json").touch()
    said = steering("concept", "umbrella", "--out", folder, check=False).stderr
    assert said.count("\n") == 1
    assert str(folder) in said
