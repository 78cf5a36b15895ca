import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.directions.condition import CHUNK, condition, holds


def pairs(seed, count=20, tokens=6, width=12, shift=4.0):
    """Prompts of random tokens whose positive's third token is moved along one direction, and the direction."""
    generator = torch.Generator().manual_seed(seed)
    negative = torch.randn(count, tokens, width, generator=generator, dtype=torch.float64)
    along = torch.nn.functional.normalize(torch.randn(width, generator=generator, dtype=torch.float64), dim=0)
    positive = negative.clone()
    positive[:, 2] = shift * 3 * along + 0.3 * torch.randn(count, width, generator=generator, dtype=torch.float64)
    return positive, negative, along


@given(st.integers(0, 1000))
def test_new_prompts_are_told_apart_wherever_the_concept_stands(seed):
    positive, negative, along = pairs(seed)
    rule = condition(positive, negative)
    fresh_positive, fresh_negative, _ = pairs(seed + 5000)
    new = fresh_negative.clone()
    new[:, 5] = 12 * along + 0.3 * fresh_positive[:, 0]
    assert holds(new, rule).all()
    # Largest of six tokens in unit noise against twelve deviations: with b half way none comes near.
    assert not holds(fresh_negative, rule).any()


def test_one_word_decides_for_its_whole_prompt():
    positive, negative, _ = pairs(0)
    rule = condition(positive, negative)
    assert holds(torch.stack([positive[0], negative[0]]), rule).tolist() == [[True] * 6, [False] * 6]


def test_a_word_decides_for_its_own_chunk_of_a_long_prompt():
    positive, negative, _ = pairs(0)
    rule = condition(positive, negative)
    long = torch.zeros(2 * CHUNK, 12, dtype=torch.float64)
    long[70] = positive[0, 2]
    assert holds(long, rule).nonzero().flatten().tolist() == list(range(CHUNK))


def test_the_number_lies_half_way_between_prompts_with_and_without():
    positive, negative, _ = pairs(4)
    rule = condition(positive, negative)
    ends = (negative @ rule[:-1]).max(), (positive @ rule[:-1]).amax(1).min()
    assert float(rule[-1]) == pytest.approx(float(sum(ends)) / 2)


def test_words_that_both_sides_hold_decide_nothing():
    positive, negative, along = pairs(1)
    other = torch.roll(along, 1)
    for side in (positive, negative):
        side[:, 4] = 12 * other  # a word as far out as the concept's, in every prompt
    rule = condition(positive, negative)
    assert abs(float(rule[:-1] @ other)) < 0.2 * float(rule[:-1] @ along)


@given(st.floats(0.01, 100))
def test_the_scale_of_the_activations_plays_no_part(scale):
    positive, negative, _ = pairs(2)
    plain, scaled = condition(positive, negative), condition(scale * positive, scale * negative)
    torch.testing.assert_close(scaled[:-1], plain[:-1], rtol=1e-6, atol=1e-8)  # float64
    torch.testing.assert_close(scaled[-1:], scale * plain[-1:], rtol=1e-6, atol=0)


def test_equal_sides_hold_nothing():
    _, negative, _ = pairs(3)
    assert torch.isfinite(condition(negative, negative)).all()
