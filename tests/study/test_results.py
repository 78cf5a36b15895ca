import pytest

from steering.study.plan import Arm
from steering.study.results import vector_of
from steering.study.setting import Recipe, Setting


def test_an_arms_vector_comes_from_nowhere_from_its_recipe_or_from_a_file(finished, tmp_path):
    vectors = finished.measured[0].vectors
    setting = Setting(Recipe(1), "projection", 2.5)
    made = vector_of(Arm("a", "study", (1, 0, 0), setting), vectors)
    assert made is vectors.get(Recipe(1))
    made.save(tmp_path / "v.safetensors")
    read = vector_of(Arm("a", "steered", (1, 0, 0), Setting(str(tmp_path / "v.safetensors"), "projection", 1.0)), None)
    assert read.digest(lengths=True) == made.digest(lengths=True)
    assert vector_of(Arm("original", "original", (1, 0, 0)), vectors) is None
    with pytest.raises(TypeError, match="no capture"):
        vector_of(Arm("a", "study", (1, 0, 0), setting), None)
