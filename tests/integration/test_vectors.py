"""Vectors come from models/steering_vectors and the pack's own folder, and from nowhere else."""

import json
import os

import pytest

from steering.vectors.recommendation import Recommendation
from steering.vectors.vector import recommend


@pytest.fixture
def folder(comfy, tmp_path, monkeypatch):
    import folder_paths

    paths, endings = folder_paths.folder_names_and_paths["steering_vectors"]
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "steering_vectors", ([str(tmp_path), *paths], endings))
    return tmp_path


def test_a_users_vector_loads_with_its_recommendation(comfy, folder, vector):
    recommend(vector, Recommendation("selective", 3.0)).save(folder / "mine.safetensors")
    options = comfy.SteeringLoadVector.INPUT_TYPES()["required"]["vector_name"]
    assert "mine.safetensors" in str(options)
    loaded, strength, provenance = comfy.SteeringLoadVector.execute("mine.safetensors").args
    kind = next(iter(loaded.sites)).kind
    fewer = comfy.SteeringLoadVector.execute("mine.safetensors", kind).args[0]
    assert 0 < len(fewer.sites) < len(loaded.sites)
    assert kind not in {site.kind for site in fewer.sites}
    assert [str(site) for site in loaded.sites] == [str(site) for site in vector.sites]
    assert strength == 3.0
    assert json.loads(provenance)["recommended"]["preset"] == "selective"


def test_a_rebuilt_vector_is_read_again(comfy, folder, vector):
    path = folder / "mine.safetensors"
    vector.save(path)
    before = comfy.SteeringLoadVector.fingerprint_inputs("mine.safetensors")
    os.utime(path, ns=(1, 1))
    assert comfy.SteeringLoadVector.fingerprint_inputs("mine.safetensors") != before


def test_nothing_outside_the_folders_loads(comfy, folder, vector):
    vector.save(folder.parent / "outside.safetensors")
    for name in ("../outside.safetensors", str(folder.parent / "outside.safetensors"), "a/../../outside.safetensors"):
        with pytest.raises(ValueError, match="must be the name of a file"):
            comfy.SteeringLoadVector.execute(name)


def test_a_missing_or_broken_file_is_refused_with_a_sentence(comfy, folder):
    with pytest.raises(FileNotFoundError, match=r"there is no 'none\.safetensors'"):
        comfy.SteeringLoadVector.execute("none.safetensors")
    (folder / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a safetensors file"):
        comfy.SteeringLoadVector.execute("broken.safetensors")
