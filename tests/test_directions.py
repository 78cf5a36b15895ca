import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.directions import DIRECTIONS, get_direction


@pytest.mark.parametrize("name", DIRECTIONS)
@given(seed=st.integers(0, 10_000), width=st.sampled_from([3, 40, 200]))
def test_rows_are_orthonormal_and_point_along_the_difference(name, seed, width):
    generator = torch.Generator().manual_seed(seed)
    positive, negative = torch.randn(2, 20, width, generator=generator, dtype=torch.float64)
    rows = get_direction(name)(positive, negative)
    torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows), dtype=torch.float64), atol=1e-12, rtol=0)
    assert rows[0] @ (positive - negative).mean(0) >= 0


@pytest.mark.parametrize("name", DIRECTIONS)
def test_a_planted_direction_is_found_and_swapping_sides_turns_it(name):
    generator = torch.Generator().manual_seed(0)
    truth = torch.nn.functional.normalize(torch.randn(64, generator=generator), dim=0)
    negative = torch.randn(50, 64, generator=generator)
    positive = negative + 6 * truth + 0.3 * torch.randn(50, 64, generator=generator)
    row = get_direction(name)(positive, negative)[0]
    assert row @ truth > 0.99
    torch.testing.assert_close(get_direction(name)(negative, positive)[0], -row)


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match="mean, pca"):
        get_direction("x")
