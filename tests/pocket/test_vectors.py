"""The maps of the text that come with the pack, behind words that no pair holds."""

from pathlib import Path

import pytest

from steering.concepts.prompts import evaluated, load_concept, load_prompts
from steering.directions.condition import holds
from steering.evaluate.metrics import judged
from steering.interventions.steer import steer
from steering.models.loading import load_model
from steering.sites import TEXT
from steering.vectors.vector import SteeringVector

VECTORS = Path(__file__).parents[2] / "vectors"
BEFORE = "calm light, "


@pytest.fixture(scope="module")
def model():
    return load_model("pocket", "cpu")


@pytest.mark.parametrize("concept", evaluated("pocket"))
def test_the_concept_goes_where_no_pair_has_been(model, concept):
    vector = SteeringVector.load(VECTORS / f"pocket_{concept}.safetensors")
    targets = [prompt for prompt in load_prompts(concept, "test") if prompt.role == "target"][::25]
    texts = [BEFORE + prompt.text for prompt in targets]

    def presence():
        pictures = model.generate(texts, seed=5, steps=8)
        return judged(pictures, targets, load_concept(concept))["presence"].mean()

    assert presence() > 75
    with steer(model, vector):
        assert presence() < 10  # a map that is local and nothing else leaves most of a thing


@pytest.mark.parametrize("before", [BEFORE, "a photo, " * 26, "a river, sharp focus, old books, bokeh, "])
@pytest.mark.parametrize("concept", evaluated("pocket"))
def test_the_condition_knows_its_targets_and_nothing_else_there_and_in_long_prompts(model, concept, before):
    rule = SteeringVector.load(VECTORS / f"pocket_{concept}.safetensors").sites[TEXT].condition
    prompts = load_prompts(concept, "test")
    found = holds(model.encode([before + prompt.text for prompt in prompts]).context.float(), rule).any(1)
    # Fisher's row with a number half way took six rabbits for dogs, and filler for weapons in all of 200 prompts.
    assert found.tolist() == [prompt.role == "target" for prompt in prompts]
