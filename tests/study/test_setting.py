from dataclasses import replace

import pytest

from steering.study.setting import Recipe, Setting


def test_settings_that_differ_have_other_names():
    first = Setting(Recipe(5), "precise", 1.0)
    others = [
        replace(first, preset="casteer"),
        replace(first, strength=1.5),
        replace(first, window=(0.0, 0.5)),
        replace(first, vector=Recipe(8)),
        replace(first, vector=Recipe.of_rank(5, 2)),
        replace(first, vector=Recipe(5, time="constant")),
        replace(first, vector=Recipe(5, "pca")),
        replace(first, vector=Recipe(5, "cpca")),
        replace(first, vector=Recipe(5, "cpca-paired", 2)),
        replace(first, vector=Recipe(5, selection="overall:attn2")),
        replace(first, vector=Recipe.of_text("affine", 8)),
        replace(first, vector=Recipe.of_text()),
        replace(first, vector=Recipe.of_text("affine", 4)),
        replace(first, vector="some/dog.safetensors"),
    ]
    assert len({first.name, *(other.name for other in others)}) == len(others) + 1
    assert first.name == "precise 1 k=5"


def test_a_map_of_the_text_embedding_says_where_it_acts():
    setting = Setting.of_map("affine", 8)
    assert setting.name == "conditional 1 text affine rank 8"
    about = {"preset": "conditional", "strength": 1.0, "k": 1, "rank": 8, "sites": "text", "direction": "affine"}
    assert setting.to_json() == about
    assert (Recipe(5).is_text, Recipe.of_text().is_text) == (False, True)


def test_several_directions_are_principal_ones():
    assert Recipe.of_rank(3, 1) == Recipe(3, "mean", 1)
    assert Recipe.of_rank(3, 2) == Recipe(3, "pca", 2)


def test_a_files_vector_has_no_recipe():
    with pytest.raises(TypeError, match="made elsewhere"):
        Setting("dog.safetensors", "precise", 1.0).to_json()
