"""Prompts mean the same on the command line and in ComfyUI: weights, parentheses, any length."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steering.models.text import chunks

from .conftest import SAME, gap

PIECES = st.sampled_from(
    [
        "dog",
        " a cat, running",
        "(",
        ")",
        "((",
        "))",
        ":1.3)",
        ":x)",
        r"\(",
        r"\)",
        " ",
        "é",
        "(red nose:0.7)",
        "dog " * 20,
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_every_prompt_becomes_the_same_tokens_and_weights(graph, headless, prompt):
    theirs = graph.clip.tokenize(prompt)["l"]
    ours = chunks(prompt, headless.model.tokenizer)
    assert [[token for token, _ in chunk] for chunk in theirs] == [list(chunk.tokens) for chunk in ours]
    for chunk, mine in zip(theirs, ours, strict=True):
        assert [weight for _, weight in chunk] == pytest.approx(list(mine.weights))


@pytest.mark.parametrize("text", ["a (dog:1.4) on the beach", "a photo of a dog, " * 12 + "(night:0.6)"])
def test_the_same_picture_of_weights_and_of_long_prompts(graph, headless, text):
    theirs, ours = graph.sample(text=text), headless.sample(text=text)
    assert gap(theirs, ours) < SAME
    plain = headless.sample(text=text.replace("(", "").replace(":1.4)", "").replace(":0.6)", ""))
    assert gap(plain, ours) > 3 * SAME


def test_embeddings_agree(graph, headless):
    text = "a (dog:1.4) and ((a cat))"
    theirs = graph.encode(text)[0][0]
    torch.testing.assert_close(theirs.float(), headless.model.encode([text]).context.float(), atol=1e-4, rtol=1e-4)
