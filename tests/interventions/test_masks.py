import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.interventions.masks import mask_tokens, within

from .conftest import TOLERANCE, tokens


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 3))
def test_a_mask_finds_the_level_of_its_tokens(height, width, level):
    small = (height, width)
    for _ in range(level):
        small = ((small[0] + 1) // 2, (small[1] + 1) // 2)
    weights = mask_tokens(torch.ones(1, 50, 70), small[0] * small[1], (height, width))
    # An area average of ones; only rounding in the average is left.
    torch.testing.assert_close(weights, torch.ones(1, small[0] * small[1], 1), atol=1e-6, rtol=0)


def test_a_mask_keeps_left_and_right_apart_and_refuses_other_shapes():
    mask = torch.zeros(1, 64, 64)
    mask[..., :32] = 1
    weights = mask_tokens(mask, 16, (8, 8)).reshape(4, 4)
    assert weights[:, :2].eq(1).all()
    assert weights[:, 2:].eq(0).all()
    with pytest.raises(ValueError, match="17 tokens"):
        mask_tokens(mask, 17, (8, 8))


@given(tokens)
def test_outside_of_the_mask_nothing_changes_and_inside_everything_is_as_moved(x):
    moved = x + 1
    weights = torch.tensor([0.0, 1.0, 0.5, 0.0, 1.0])[None, :, None].expand(2, -1, -1)
    out = within(x, moved, weights)
    assert torch.equal(out[:, [0, 3]], x[:, [0, 3]])
    torch.testing.assert_close(out[:, [1, 4]], moved[:, [1, 4]], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(out[:, 2], x[:, 2] + 0.5, atol=TOLERANCE, rtol=0)


def test_a_mask_counts_by_the_area_that_it_covers_of_a_token():
    mask = torch.zeros(1, 16, 16)
    mask[:, :4, :2] = 1  # half of the first of 4 x 4 tokens
    weights = mask_tokens(mask, 16, (8, 8))[0, :, 0]
    assert weights[0] == 0.5
    assert (weights[1:] == 0).all()
