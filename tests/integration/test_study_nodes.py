"""Evaluate Steering and Tune Steering: the command line's study, drawn by a graph's own model."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from steering.interventions.steer import steer as our_steer
from steering.vectors.vector import SteeringVector

from .conftest import PACK, internals


@pytest.fixture
def outputs(comfy, tmp_path, monkeypatch):
    """ComfyUI's output folder, below a temporary one."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "steering"


def drawing(comfy, graph):
    return internals(comfy, "comfy_drawing").DrawingModel(graph.model, graph.clip, graph.vae, 64)


def test_it_draws_what_the_command_line_draws(comfy, graph, headless, vector):
    prompts, seeds = ["a photo of a dog on the beach", "a cat"], [5, 9]
    how = {"negative": "a key", "seed": seeds, "steps": 4, "guidance": 3.0, "size": 64}
    model = drawing(comfy, graph)
    with torch.inference_mode():
        plain = model.generate(prompts, **how)
    ours = headless.model.generate(prompts, **how)
    assert plain.shape == ours.shape
    assert abs(plain.astype(int) - ours).mean() < 1  # noise levels differ by 5e-5 between the two paths
    engine = internals(comfy, "vectors").SteeringVector.__module__.removesuffix("vectors.vector")
    steer = sys.modules[f"{engine}interventions.steer"].steer  # ComfyUI imports a copy of its own
    brought = graph.bring(vector)
    with torch.inference_mode(), steer(model, brought, strength=2.5, preset="projection"):
        steered = model.generate(prompts, **how)
    with our_steer(headless.model, vector, strength=2.5, preset="projection"):
        theirs = headless.model.generate(prompts, **how)
    assert abs(steered.astype(int) - plain).mean() > 3
    assert abs(steered.astype(int) - theirs).mean() < 1
    with torch.inference_mode():
        assert (model.generate(prompts, **how) == plain).all()  # nothing stays behind


def test_its_hash_knows_what_the_graph_has_put_on_it(comfy, graph, vector):
    with torch.inference_mode():
        first, again = drawing(comfy, graph).digest(), drawing(comfy, graph).digest()
        model = graph.apply(vector, 2.5)
        other = internals(comfy, "comfy_drawing").DrawingModel(model, graph.clip, graph.vae, 64).digest()
    assert first == again != other


def evaluated(comfy, graph, vector, **more):
    given = {
        "model": graph.model,
        "clip": graph.clip,
        "vae": graph.vae,
        "vector": vector,
        "concept": "pocket/dog",
        "word": "",
        "preset": "recommended",
        "strength": 0.0,
        "prompts": 2,
        "steps": 3,
        "cfg": 3.0,
        "size": 128,
        "batch": 8,
    }
    with torch.inference_mode():
        return comfy.SteeringEvaluate.execute(**given | more).args


def test_a_vector_is_measured_and_the_same_again_is_found(comfy, graph, outputs):
    vector = internals(comfy, "vectors").SteeringVector.load(PACK / "vectors" / "pocket_dog.safetensors")
    picture, table, text, report = evaluated(comfy, graph, vector)
    assert picture.shape[-1] == 3
    assert picture.std() > 0.05
    figures = json.loads(text)
    assert set(figures) >= {"original", "steered", "counterfactual", "isotropic", "strength_0", "negative_prompt"}
    assert figures["strength_0"]["identical"]
    assert not figures["steered"]["identical"]
    assert "| dog | steered | 2 |" in table
    assert table.startswith("2 prompts with dog; presence of it, of 100: ")
    assert Path(report).is_file()
    folder = Path(report).parent
    assert folder.parent == outputs
    drawn = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png") if "pictures" in path.parts}
    assert drawn
    assert evaluated(comfy, graph, vector, cfg=0.0, size=0)[2] == text  # what is usual for the model
    assert {path: path.stat().st_mtime_ns for path in drawn} == drawn  # nothing was drawn again
    other = evaluated(comfy, graph, vector, strength=0.5)[3]
    assert Path(other).parent != folder


def test_a_word_is_enough(comfy, graph, outputs, vector):
    brought = graph.bring(vector)
    report = evaluated(comfy, graph, brought, word="umbrella")[3]
    assert "evaluate_umbrella" in report
    warning = "The vector was made for dog, and what is measured is umbrella"
    assert (warning in Path(report).read_text(encoding="utf-8")) == ("dog" in brought.concept)
    assert (outputs / "concepts" / "pocket_umbrella" / "test.csv").is_file()
    validate = comfy.SteeringEvaluate.validate_inputs
    assert validate("pocket/dog", "") is True
    assert validate("nothing", "umbrella") is True
    assert "is not one of pocket/" in validate("nothing", "")


def test_a_folder_of_the_users_is_a_concept_and_its_files_count(comfy, tmp_path, monkeypatch):
    import folder_paths

    shutil.copytree(PACK / "vectors" / "concepts" / "pocket" / "dog", tmp_path / "my_dog")
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "steering_pairs", ([str(tmp_path)], {".csv"}))
    folder_paths.filename_list_cache.clear()
    folders = internals(comfy, "comfy_study").concept_folders()
    assert folders["my_dog"] == tmp_path / "my_dog"
    assert {"pocket/dog", "sd15/nudity", "sdxl/van_gogh"} <= set(folders)
    assert "pocket/cat" not in folders  # pairs only
    before = comfy.SteeringTune.fingerprint_inputs("my_dog", "")
    assert before == comfy.SteeringEvaluate.fingerprint_inputs("my_dog", "")
    path = tmp_path / "my_dog" / "test.csv"
    path.write_text(path.read_text(encoding="utf-8") + "target,a dog,dog,a scene,x\n", encoding="utf-8")
    assert comfy.SteeringTune.fingerprint_inputs("my_dog", "") != before
    folder_paths.filename_list_cache.clear()


def test_an_interrupted_evaluation_leaves_no_hook_and_goes_on(comfy, graph, outputs, vector, monkeypatch):
    import comfy.model_management as management

    class Stopped(Exception):
        pass

    calls = []

    def stop():
        calls.append(None)
        if len(calls) > 12:
            raise Stopped

    brought = graph.bring(vector)
    with monkeypatch.context() as patch:
        patch.setattr(management, "throw_exception_if_processing_interrupted", stop)
        with pytest.raises(Stopped):
            evaluated(comfy, graph, brought)
    unet = graph.model.model.diffusion_model
    assert not any(module._forward_hooks for module in unet.modules())
    assert json.loads(evaluated(comfy, graph, brought)[2])["strength_0"]["identical"]


@pytest.mark.slow
def test_a_search_finds_a_vector_with_its_setting(comfy, graph, outputs, tmp_path):
    with torch.inference_mode():
        made, strength, picture, report = comfy.SteeringTune.execute(
            graph.model, graph.clip, graph.vae, "pocket/dog", "", "quick", False, 8, 3.0, 128, 16
        ).args
    made.save(tmp_path / "tuned.safetensors")
    vector = SteeringVector.load(tmp_path / "tuned.safetensors")
    assert vector.recommended.strength == strength
    assert "taken" in report
    assert picture.std() > 0.05
