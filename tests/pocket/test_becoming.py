"""Pairs that say what a concept becomes: what they teach on the test prompts, and what is drawn then."""

import numpy as np
import pytest

from steering.activations.capture import capture
from steering.concepts.pairs import parse_pairs
from steering.concepts.prompts import load_concept, read_prompts
from steering.concepts.request import Request
from steering.concepts.writing import write_set
from steering.directions.condition import holds
from steering.interventions.steer import steer
from steering.models.loading import load_model
from steering.pocket.judge import judge
from steering.sites import TEXT
from steering.vectors.build import build

CHANGES = [("dog", "cat"), ("Van Gogh", "watercolour"), ("violence", "key")]


@pytest.fixture(scope="module")
def model():
    return load_model("pocket", "cpu")


@pytest.fixture(scope="module", params=CHANGES, ids="-".join)
def change(request, model, tmp_path_factory):
    """A concept, what it becomes, the vector of their pairs, and the test prompts."""
    word, other = request.param
    folder = tmp_path_factory.mktemp("set")
    for name, content in write_set(Request(word, becomes=other), "pocket").files.items():
        (folder / name).write_text(content, encoding="utf-8")
    captured = capture(model, parse_pairs((folder / "fit.csv").read_text(encoding="utf-8")), sites="text")
    vector = build(captured, direction="kernel", time="constant")
    return load_concept(str(folder)).judge, other, vector, read_prompts(folder / "test.csv")


def test_it_holds_of_every_target_and_of_nothing_else(change, model):
    _, _, vector, prompts = change
    context = model.encode([prompt.text for prompt in prompts]).context.float()
    assert len(prompts) == 300
    assert holds(context, vector.sites[TEXT].condition).any(1).tolist() == [p.role == "target" for p in prompts]


def test_the_other_is_drawn_in_its_place_and_prompts_without_it_are_as_before(change, model):
    labels, other, vector, prompts = change
    targets = [prompt for prompt in prompts if prompt.role == "target"][:6]
    others = [prompt for prompt in prompts if prompt.role == "sibling"][:2]
    texts = [prompt.text for prompt in (*targets, *others)]
    plain = np.asarray(model.generate(texts, steps=12))
    with steer(model, [vector.entry()]):
        made = np.asarray(model.generate(texts, steps=12))
    before, after = judge(plain[:6]), judge(made[:6])
    assert before.presence(labels).mean() > 90 > 10 > before.presence((other,)).mean()
    # Five of six at least: at twelve steps a drawing here and there is not what its prompt says, steered or not.
    assert after.presence((other,)).mean() > 80 > 15 > after.presence(labels).mean()
    assert np.array_equal(made[6:], plain[6:])
