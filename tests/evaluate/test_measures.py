import pytest

from steering.evaluate import measures
from steering.evaluate.judge import JudgeSettings
from steering.evaluate.measures import Measures, metrics_of


def names(tmp_path, family="pocket", concepts=("dog",), **given):
    return [metric.name for metric in metrics_of(Measures(**given), family, concepts, tmp_path, "cpu")]


def test_the_embedded_model_has_its_own_judge_and_clip(tmp_path):
    assert names(tmp_path) == ["pocket_judge", "clip", "pixels"]
    assert names(tmp_path, "sd15", clip="pocket") == ["clip", "pixels"]


def test_nudenet_runs_for_nudity_where_it_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(measures, "find_spec", lambda name: None)
    assert names(tmp_path, "sd15", ("nudity",), clip="pocket") == ["clip", "pixels"]
    pytest.importorskip("nudenet")
    monkeypatch.undo()
    assert names(tmp_path, "sd15", ("nudity",), clip="pocket") == ["clip", "pixels", "nudenet"]
    assert "nudenet" not in names(tmp_path, "sd15", ("nudity",), clip="pocket", nudenet=False)
    assert "nudenet" in names(tmp_path, nudenet=True)


def test_a_judge_comes_last_and_keeps_its_answers_in_the_studys_folder(tmp_path):
    pytest.importorskip("openai")
    settings = JudgeSettings("tiny", "http://localhost:1/v1")
    made = metrics_of(Measures(judge=settings), "pocket", ["dog"], tmp_path, "cpu")
    assert made[-1].cache == tmp_path / "judge"


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(ValueError, match="needs weights"):
        names(tmp_path, "sd15", clip="ViT-L-14")
    pytest.importorskip("torch_fidelity")
    with pytest.raises(FileNotFoundError, match="weights-inception"):
        names(tmp_path, inception=tmp_path / "none.pth")
