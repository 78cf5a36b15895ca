"""The condition that the built-in pairs teach, on the test prompts of their concepts."""

import pytest

from steering.activations.capture import capture
from steering.concepts.pairs import load_pairs, spread
from steering.concepts.prompts import evaluated, load_prompts
from steering.directions.condition import holds
from steering.models.loading import load_model
from steering.sites import TEXT
from steering.vectors.build import build


@pytest.fixture(scope="module")
def model():
    return load_model("pocket", "cpu")


def fires(model, concept, count, texts):
    """Which prompts hold the concept by a condition that so many of its pairs teach."""
    captured = capture(model, spread(load_pairs(f"pocket/{concept}"), count), sites="text")
    rule = build(captured, direction="affine", time="constant").sites[TEXT].condition
    return holds(model.encode(texts).context.float(), rule).any(1)


@pytest.mark.parametrize("count", [12, 25, 50])
@pytest.mark.parametrize("concept", evaluated("pocket"))
def test_it_holds_of_every_target_and_of_nothing_else(model, concept, count):
    prompts = load_prompts(concept, "test")
    found = fires(model, concept, count, [prompt.text for prompt in prompts])
    assert len(prompts) == 300
    assert found.tolist() == [prompt.role == "target" for prompt in prompts]


def test_it_knows_words_that_the_pairs_do_not_use(model):
    texts = ["a puppy in the snow", "a hound next to a key in a room", "a pony in a room", "a kitten in the snow"]
    assert fires(model, "dog", 50, texts).tolist() == [True, True, False, False]
