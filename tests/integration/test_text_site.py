"""The text embedding in a graph: captured in one pass of the text encoder, moved as on the command line."""

import pytest
import torch

from steering.activations.capture import capture
from steering.concepts.pairs import load_pairs
from steering.interventions.steer import steer
from steering.sites import TEXT
from steering.vectors.build import build

from .conftest import SAME, gap


@pytest.fixture(scope="module")
def ours(headless):
    return capture(headless.model, load_pairs("pocket/dog")[:12], sites="text", concept="dog")


@pytest.fixture(scope="module")
def theirs(comfy, graph):
    loaded = comfy.SteeringLoadPairs.execute("pocket/dog").args[0]
    pairs = type(loaded)("dog", loaded.pairs[:12])
    with torch.inference_mode():  # as ComfyUI's executor does
        arguments = ("text", 4, 7.5, "euler", "normal", 0, 64, 64, 4, False)
        return comfy.SteeringCapture.execute(graph.model, graph.clip, pairs, *arguments).args[0]


def test_a_graph_captures_the_tokens_that_the_command_line_captures(theirs, ours):
    assert [str(site) for site in theirs.tensors] == ["text"]  # of the pack as ComfyUI imported it, so not `TEXT`
    a, b = next(iter(theirs.tensors.values())), ours.tensors[TEXT]
    assert a.shape == b.shape
    assert (a - b).norm() < 1e-4 * b.norm()  # two text encoders' float32
    assert theirs.metadata["pairs"] == ours.metadata["pairs"]
    assert theirs.metadata["model"]["weights"] == ours.metadata["model"]["weights"]


def test_the_same_picture_as_headless_and_nothing_stays_behind(graph, headless, ours):
    vector = build(ours, select_by="text", direction="affine", time="constant", rank=4)
    plain = graph.sample()
    steered = graph.apply(vector, 1.0, "affine")
    theirs = graph.sample(steered)
    assert gap(theirs, plain) > 10 * SAME
    with steer(headless.model, vector, preset="affine"):
        assert gap(theirs, headless.sample()) < SAME
    modules = steered.model.diffusion_model.modules()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in modules)
    assert torch.equal(graph.sample(), plain)
