"""Add and replace, Combine Vectors, Steering Map, and grids that say what each picture costs."""

import pytest
import torch

from steering.interventions.steer import steer
from steering.vectors.combine import combine
from steering.vectors.vector import SteeringVector

from .conftest import PACK, SAME, gap, internals
from .test_run import sample


@pytest.fixture(scope="module")
def plain(graph):
    return graph.sample()


@pytest.fixture(scope="module")
def shipped():
    """The two constant vectors that come with the pack, of a dog and a cat."""
    return [SteeringVector.load(PACK / "vectors" / f"pocket_{name}_attn2.safetensors") for name in ("dog", "cat")]


@pytest.mark.parametrize("mode", ["add", "replace"])
def test_the_same_picture_as_headless(graph, headless, shipped, plain, mode):
    dog, cat = shipped
    second = {"replace_with": graph.bring(cat)} if mode == "replace" else {}
    theirs = graph.sample(graph.apply(dog, 1.5, "precise", mode=mode, **second))
    assert gap(theirs, plain) > 10 * SAME
    with steer(
        headless.model, dog, strength=1.5, preset="precise", mode=mode, target=cat if mode == "replace" else None
    ):
        assert gap(theirs, headless.sample()) < SAME
    assert torch.equal(graph.sample(graph.apply(dog, 0.0, "precise", mode=mode, **second)), plain)


def test_nodes_of_different_modes_act_together(graph, headless, vector, shipped):
    dog, cat = shipped
    first = graph.apply(cat, 0.5, "projection", mode="add")
    both = graph.sample(graph.apply(dog, 1.0, "lora", model=first))
    with steer(
        headless.model,
        [dog.entry(strength=1.0, preset="lora"), cat.entry(strength=0.5, preset="projection", mode="add")],
    ):
        assert gap(both, headless.sample()) < SAME


def test_a_mode_without_its_second_vector_is_refused_at_once(graph, shipped):
    with pytest.raises(ValueError, match="takes a second vector"):
        graph.apply(shipped[0], 1.0, mode="replace")
    with pytest.raises(ValueError, match="takes no second vector"):
        graph.apply(shipped[0], 1.0, replace_with=graph.bring(shipped[1]))


def test_combine_is_the_engines(comfy, graph, shipped):
    dog, cat = (graph.bring(vector) for vector in shipped)
    made, text, picture = comfy.SteeringCombine.execute(dog, 2.0, 1.0, 1.0, "subtract", vector_b=cat).args
    assert made.digest() == combine(shipped, "subtract", [2, 1]).digest()
    assert "a: dog" in text and "b: cat" in text
    assert picture.std() > 0.02
    scaled = comfy.SteeringCombine.execute(dog, 0.5, 1.0, 1.0, "add").args[0]
    assert scaled.digest() == dog.digest()  # another length: other pictures under add and replace only
    # A gap in the sockets does not shift the letters.
    assert "c: cat" in comfy.SteeringCombine.execute(dog, 1.0, 1.0, 1.0, "add", vector_c=cat).args[1]
    with pytest.raises(ValueError, match="leaves no vector"):
        comfy.SteeringCombine.execute(dog, 0.0, 1.0, 1.0, "add")


def test_maps_show_where_the_run_held_and_moved_the_concept(comfy, graph, shipped):
    latent, run = sample(comfy, graph, graph.apply(shipped[0], 1.0, "lora"))
    image = graph.vae.decode(latent)
    pictures = {}
    for show in ("held", "moved"):
        pictures[show], mask = comfy.SteeringMap.execute(run, image, show, 0, 0, 3, 2).args
        assert pictures[show].shape[0] == 1
        assert mask.shape == (1, 64, 64)
        assert 0 <= float(mask.min()) < float(mask.max()) == 1
    assert not torch.equal(pictures["held"], pictures["moved"])
    # What is shown is the prompt's picture, whichever half ComfyUI computes first and whichever is steered.
    for half in ("cond", "both"):
        options = comfy.SteeringOptions.execute("negative", "all", False, half).args[0]
        _, watched = sample(comfy, graph, graph.apply(shipped[0], 0.0, options=options))
        first = [seen.tokens for seen in watched.observations if seen.sigma == watched.sigmas[0]]
        pictures[half] = torch.cat([tokens.flatten() for tokens in first])
    assert torch.equal(pictures["cond"], pictures["both"])
    assert pictures["cond"].float().std() > 0.1
    _, watched = sample(comfy, graph, graph.apply(shipped[0], 0.0, "lora"))
    _, mask = comfy.SteeringMap.execute(watched, image, "held", 0, 0, 3, 2).args
    masked = graph.apply(shipped[0], 1.0, "lora", mask=mask)
    assert gap(graph.sample(masked), graph.sample()) > 10 * SAME  # a map can say where to steer
    for arguments, message in (
        ((run, image, "held", 1, 0, 3, 2), "not one of the 1"),
        ((run, image, "held", 0, 1, 3, 2), "count from 0"),
    ):
        with pytest.raises(ValueError, match=message):
            comfy.SteeringMap.execute(*arguments)


def test_under_an_area_condition_tokens_have_no_place(comfy, graph, shipped):
    positive = [[graph.encode("a dog")[0][0], {"area": (4, 4, 0, 0), "strength": 1.0}]]
    latent = comfy.EmptyLatentImage().generate(64, 64, 1)[0]
    model = graph.apply(shipped[0], 1.0, "precise")
    arguments = (model, 7, 4, 3.0, "euler", "normal", positive, graph.encode(""), latent, 1.0)
    with torch.inference_mode():
        out, run = comfy.SteeringKSampler.execute(*arguments).args
    with pytest.raises(ValueError, match="area condition"):
        comfy.SteeringMap.execute(run, graph.vae.decode(out["samples"].clone()), "held", 0, 0, 3, 2)


def test_the_report_draws_what_acts_and_not_what_watches(comfy, graph, shipped):
    alone = sample(comfy, graph, graph.apply(shipped[0], 1.0, "lora"))[1]
    beside = sample(comfy, graph, graph.apply(shipped[1], 0.0, "lora", model=graph.apply(shipped[0], 1.0, "lora")))[1]
    assert len(beside.observations) == 2 * len(alone.observations)
    drawn = [comfy.SteeringReport.execute(run).args[1] for run in (alone, beside)]
    assert torch.equal(*drawn)


def test_a_run_that_only_watches_draws_the_same_picture(comfy, graph, shipped, plain):
    latent, run = sample(comfy, graph, graph.apply(shipped[0], 0.0, "lora"))
    assert torch.equal(latent, plain)
    assert run.observations
    assert all(seen.touched == 0 for seen in run.observations)


def test_a_grid_with_a_vector_notes_presence_and_drift(comfy, graph, shipped):
    images = [torch.rand(2, 128, 128, 3) for _ in range(3)]
    labels = ["strength 0", "strength 1", "strength 2"]
    bare = comfy.SteeringLabelledGrid.execute(images, labels, [2]).args[0]
    noted = comfy.SteeringLabelledGrid.execute(images, labels, [2], [graph.bring(shipped[0])]).args[0]
    assert noted.shape[1] > bare.shape[1]
    notes = internals(comfy, "sweep")._notes
    pictures = internals(comfy, "pictures").as_pictures
    lines = notes([pictures(image) for image in images], shipped[0])
    assert [line.split("\n")[-1] == "drift 0.0" for line in lines] == [True, True, False, False, False, False]
    assert all(line.startswith("presence ") for line in lines)
