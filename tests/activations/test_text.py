"""The text embedding as a site: captured token by token, read and moved where cross-attention reads it."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.activations.capture import capture
from steering.activations.text import partners
from steering.concepts.pairs import Pair
from steering.errors import SteeringError
from steering.interventions.entry import make_entry
from steering.interventions.steer import steer
from steering.models.conditioning import Conditioning
from steering.sites import SD15_SITES, TEXT, Site, find_sites
from steering.vectors.build import build
from steering.vectors.vector import SteeringVector

PAIRS = [Pair(f"a dog {where}", f"a big cat {where}") for where in ("on the beach", "in a room", "at night")]


def picture(model, prompt="a dog"):
    return model.generate(prompt, seed=3, steps=2, size=64)


@pytest.fixture(scope="module")
def captured(toy_model):
    return capture(toy_model, PAIRS, sites="text", concept="dog")


def test_the_text_embedding_is_one_site_that_every_cross_attention_reads(toy_model):
    found = find_sites(toy_model.unet)
    assert [site for site in found if site != TEXT] == list(SD15_SITES)
    assert len(found[TEXT]) == 2 * 16  # keys and values of sixteen cross-attentions
    assert Site.parse("text") == TEXT
    assert str(TEXT) == "text"


def test_a_capture_holds_every_token_of_both_sides_beside_its_partner(captured, toy_model):
    assert captured.tensors[TEXT].shape == (2, 77 * 3, 1, 64)
    assert (captured.pairs, captured.rows) == (3, 3 * 77)
    assert "3 pairs" in repr(captured)
    positive, negative = captured.tensors[TEXT][:, :, 0].unflatten(1, (77, 3))
    sides = [toy_model.encode([getattr(pair, side) for pair in PAIRS]).context for side in ("positive", "negative")]
    torch.testing.assert_close(positive, sides[0].transpose(0, 1))
    for i in range(3):  # every token of the negative is somebody's partner
        order = partners(sides[0][i], sides[1][i])
        assert sorted(order.tolist()) == list(range(77))
        assert torch.equal(negative[:, i], sides[1][i][order])
        assert order[0] == 0  # the start of every prompt is the same


def test_all_tokens_of_a_pair_are_held_out_together(captured):
    assert captured.pairs % 5 != 0  # rows in turn would leave tokens of every pair in every fold
    assert captured.folds.unflatten(0, (77, 3)).tolist() == [[0, 1, 2]] * 77


@given(st.integers(0, 1000), st.integers(2, 12))
def test_tokens_are_matched_wherever_they_stand(seed, count):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(count, 5, generator=generator)
    moved = torch.randperm(count, generator=generator)
    nearly = tokens[moved] + 1e-3 * torch.randn(count, 5, generator=generator)  # far below the distances of tokens
    assert torch.equal(moved[partners(tokens, nearly)], torch.arange(count))


@given(st.integers(0, 1000))
def test_no_other_matching_of_tokens_differs_less(seed):
    generator = torch.Generator().manual_seed(seed)
    one, other = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    least = min((one - other[list(order)]).square().sum() for order in permutations(range(5)))
    torch.testing.assert_close((one - other[partners(one, other)]).square().sum(), least)


def test_moving_it_changes_what_is_drawn_of_the_prompt_and_nothing_stays_behind(captured, toy_model, hooks_left):
    vector = build(captured, select_by="text", direction="affine", time="constant", rank=2)
    plain = picture(toy_model)
    with steer(toy_model, vector, preset="affine"):
        assert hooks_left() == 2 * 16
        assert (picture(toy_model) != plain).any()
    with steer(toy_model, vector, preset="affine", strength=0.0):
        assert (picture(toy_model) == plain).all()
    assert (picture(toy_model) == plain).all()


def test_steering_it_is_drawing_with_the_moved_embedding(captured, toy_model):
    """The theorem behind the hooks: every reader sees the map's text, and the negative prompt its own."""
    vector = build(captured, select_by="text", direction="affine", time="constant", rank=2)
    rows = vector.entry(preset="affine").rows(TEXT, 1.0)
    words = toy_model.encode(["a dog"])
    text = words.context
    moved = text - ((text @ rows.readouts.T - rows.offsets) * rows.strengths) @ rows.directions
    noise, empty = toy_model.noise([3], 64), toy_model.encode([""])
    with steer(toy_model, vector, preset="affine"):
        steered = toy_model.denoise(words, empty, noise, 2, 7.5)
    by_hand = toy_model.denoise(Conditioning(moved), empty, noise, 2, 7.5)
    assert (by_hand - toy_model.denoise(words, empty, noise, 2, 7.5)).abs().max() > 0.01
    torch.testing.assert_close(steered, by_hand, atol=1e-4, rtol=1e-4)  # float32 sums in another order


def test_only_prompts_that_hold_the_concept_are_steered(captured, toy_model):
    vector = build(captured, select_by="text", direction="affine", time="constant", rank=2)
    other = "a house"

    def drawn(preset):
        with steer(toy_model, vector, preset=preset):
            return [toy_model.generate(text, seed=3, steps=2) for text in ("a dog", other)]

    plain = [toy_model.generate(text, seed=3, steps=2) for text in ("a dog", other)]
    everywhere, where_it_is = drawn("affine"), drawn("conditional")
    assert (everywhere[1] != plain[1]).any()  # without the condition the other prompt is moved as well
    assert (where_it_is[1] == plain[1]).all()
    assert (where_it_is[0] != plain[0]).any()


def test_the_condition_is_asked_of_each_prompt_of_a_batch(captured, toy_model):
    vector = build(captured, select_by="text", direction="affine", time="constant", rank=2)
    texts = ["a dog", "a house"]
    with steer(toy_model, vector, preset="conditional"):
        together = toy_model.generate(texts, seed=3, steps=2)
        alone = [toy_model.generate(text, seed=3 + i, steps=2)[0] for i, text in enumerate(texts)]
    # uint8 pictures of float32 sums in another order
    assert max(np.abs(a.astype(int) - b).max() for a, b in zip(together, alone, strict=True)) <= 1


def test_a_condition_is_kept_in_the_file_and_asked_for_where_it_is_missing(captured, toy_model, tmp_path):
    vector = build(captured, select_by="text", direction="affine", time="constant")
    vector.save(tmp_path / "x.safetensors")
    stored = SteeringVector.load(tmp_path / "x.safetensors").sites[TEXT].condition
    assert torch.equal(stored, vector.sites[TEXT].condition)
    without = replace(vector, sites={TEXT: replace(vector.sites[TEXT], condition=None)})
    with pytest.raises(SteeringError, match="gate 'prompt', of preset conditional, asks which prompts"):
        make_entry(without, preset="conditional")
    assert without.digest() != vector.digest()


def test_pairs_whose_sides_hold_the_same_words_are_refused(toy_model):
    swapped = [Pair("a dog at night", "a cat at night"), Pair("a cat at night", "a dog at night")]
    made = capture(toy_model, swapped, sites="text", concept="dog")
    with pytest.raises(SteeringError, match="does not tell the positive prompts of dog from the negative ones"):
        build(made, direction="affine", time="constant")


def test_what_makes_no_sense_is_refused(captured, toy_model):
    with pytest.raises(SteeringError, match="captured token by token and alone"):
        capture(toy_model, PAIRS, sites="text,attn2")
    long = [Pair("a dog", " ".join(["cat"] * 90))]
    with pytest.raises(SteeringError, match=r"as long in chunks of 77 tokens, and .cat cat.* takes 2, another 1"):
        capture(toy_model, long, sites="text")
    vector = build(captured, select_by="text", direction="affine", time="constant")
    with pytest.raises(SteeringError, match="nowhere in it"):
        make_entry(vector, mask=torch.ones(1, 8, 8))
