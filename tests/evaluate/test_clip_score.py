import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from steering.concepts.prompts import Concept, Prompt
from steering.errors import SteeringError
from steering.evaluate.clip_score import OpenClip, PocketClip, clip_columns
from steering.pocket.world import Scene, draw

TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An architecture of open_clip's kind and two files of weights for it."""
    folder = tmp_path_factory.mktemp("clip")
    (folder / "steering-tiny.json").write_text(json.dumps(TINY), encoding="utf-8")
    for seed in (0, 1):
        torch.manual_seed(seed)
        network = OpenClip(str(folder / "steering-tiny.json"), None, random=True).network
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder / f"{seed}.safetensors")
    return folder


@pytest.fixture(scope="module")
def scenes():
    rng = np.random.default_rng(0)
    return np.stack([draw(Scene((what,), "beach"), rng) for what in ("dog", "cat")])


def test_weights_of_a_file_are_used_and_recorded(files, scenes):
    first, second = (OpenClip(str(files / "steering-tiny.json"), str(files / f"{i}.safetensors")) for i in (0, 1))
    features = first.image_features(scenes)
    assert features.shape == (2, 32)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)  # float32
    assert np.abs(features - second.image_features(scenes)).max() > 0.01
    assert first.identity() != second.identity()
    assert len(first.identity()["weights"]) == 64


def test_untrained_weights_are_never_used_by_accident(files):
    architecture = str(files / "steering-tiny.json")
    with pytest.raises(ValueError, match="needs weights"):
        OpenClip(architecture, None)
    with pytest.raises(ValueError, match="does not load"):
        OpenClip(architecture, str(files / "missing.safetensors"))
    with pytest.raises(ValueError, match="does not load"):
        OpenClip("ViT-B-32", str(files / "0.safetensors"))
    with pytest.raises(ValueError, match="ViT-B-32"):
        OpenClip("no-such-model", "laion2b_s34b_b79k")


def test_texts_that_clip_would_cut_are_noticed(files):
    model = OpenClip(str(files / "steering-tiny.json"), str(files / "0.safetensors"))
    assert model.cut(["a dog", "a dog " * 60]) == [False, True]
    assert PocketClip().cut(["a dog", "a dog " * 60]) == [False, True]


def test_presence_and_the_three_cosines_see_the_concept(scenes):
    prompts = [
        Prompt("target", "a dog on the beach", ("dog",), "an empty scene on the beach"),
        Prompt("sibling", "a cat"),
    ]
    concept = Concept("dog", "a dog", contrasts=("a cat", "an empty scene"))
    columns = clip_columns(PocketClip(), scenes, prompts, concept)
    assert columns["clip_presence"][0] > 50 > columns["clip_presence"][1]
    assert columns["clip_concept"][0] > columns["clip_concept"][1]
    assert np.isfinite(columns["clip_rest"][0])
    assert np.isnan(columns["clip_rest"][1])
    texts = PocketClip().text_features([prompts[0].text, prompts[0].rest])
    np.testing.assert_allclose(columns["clip_prompt"][0], columns["clip_features"][0] @ texts[0], rtol=1e-5)
    np.testing.assert_allclose(columns["clip_rest"][0], columns["clip_features"][0] @ texts[1], rtol=1e-5)


def test_presence_is_a_share_between_the_texts(scenes):
    def presence(*contrasts):
        prompts = [Prompt("target", "a dog")] * 2
        return clip_columns(PocketClip(), scenes, prompts, Concept("dog", "a dog", contrasts=contrasts))[
            "clip_presence"
        ]

    np.testing.assert_allclose(presence("a dog"), 50, rtol=1e-4)  # twice the same text
    np.testing.assert_allclose(presence("a dog", "a dog", "a dog"), 25, rtol=1e-4)


def test_weights_get_the_activation_that_they_were_trained_with(monkeypatch):
    """open_clip says a mismatch in a warning, and computes something else."""
    made = []

    def nothing(model, **arguments):
        made.append((model, arguments["force_quick_gelu"]))
        raise RuntimeError("no weights here")

    monkeypatch.setattr("open_clip.create_model", nothing)
    for model, tag in (("ViT-B-32", "openai"), ("ViT-B-32", "laion2b_s34b_b79k"), ("ViT-B-32-quickgelu", "openai")):
        with pytest.raises(SteeringError, match="no weights here"):
            OpenClip(model, tag)
    assert made == [("ViT-B-32", True), ("ViT-B-32", False), ("ViT-B-32-quickgelu", False)]
