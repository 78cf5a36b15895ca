"""What is told of prompts keeps contexts and pooled embeddings of a prompt together."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.errors import SteeringError
from steering.models.conditioning import LENGTH, Conditioning, same_length, side_by_side, together


def told(count, chunks=1, pooled=True):
    generator = torch.Generator().manual_seed(count + 10 * chunks)
    context = torch.randn(count, LENGTH * chunks, 3, generator=generator)
    return Conditioning(context, torch.randn(count, 2, generator=generator) if pooled else None)


def equal(one, other):
    assert (one.pooled is None) == (other.pooled is None)
    same = one.pooled is None or torch.equal(one.pooled, other.pooled)
    return same and torch.equal(one.context, other.context)


@given(st.integers(1, 7), st.integers(1, 8), st.booleans())
def test_its_parts_together_are_the_whole(count, batch, pooled):
    whole = told(count, pooled=pooled)
    parts = whole.split(batch)
    assert [len(part) for part in parts[:-1]] == [batch] * (len(parts) - 1)
    assert equal(together(parts), whole)


def test_rows_of_one_prompt_are_that_prompt():
    whole = told(3)
    assert equal(whole[[1]].expand(4)[[3]], whole[[1]])
    assert len(whole[:1].expand(4)) == 4
    assert equal(whole.expand(3), whole)


def test_prompts_of_different_lengths_meet_at_a_common_one():
    one, two = told(1, chunks=2), told(1, chunks=3)
    both = together([one, two])
    assert both.context.shape == (2, 6 * LENGTH, 3)
    assert torch.equal(both.context[0, : 2 * LENGTH], both.context[0, 2 * LENGTH : 4 * LENGTH])
    assert torch.equal(both.pooled, torch.cat([one.pooled, two.pooled]))
    four, five = same_length([torch.arange(4.0 * LENGTH)[:, None], torch.zeros(5 * LENGTH, 1)])
    assert four.shape == five.shape == (20 * LENGTH, 1)
    assert torch.equal(four[: 4 * LENGTH], four[16 * LENGTH :])
    with pytest.raises(SteeringError, match="one by one"):
        same_length([torch.zeros(15 * LENGTH, 1), torch.zeros(14 * LENGTH, 1)])


def test_of_two_encoders_the_last_ones_pooled_embedding_counts():
    first, second = told(2, pooled=False), told(2)
    both = side_by_side([first, second])
    assert torch.equal(both.context, torch.cat([first.context, second.context], 2))
    assert torch.equal(both.pooled, second.pooled)
