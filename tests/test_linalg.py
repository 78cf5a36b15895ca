import pytest
import torch

from steering.linalg import gram_schmidt_rows, lead_first


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_span_stays_and_its_first_row_points_along_the_difference(rank):
    rows = torch.linalg.qr(torch.randn(12, rank, dtype=torch.float64))[0].mT
    difference = torch.randn(12, dtype=torch.float64)
    turned = lead_first(rows, difference)
    # float64 rounding of a QR of a few rows
    assert torch.allclose(turned @ turned.mT, torch.eye(rank, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(turned.mT @ turned, rows.mT @ rows, atol=1e-12)
    projected = rows.mT @ (rows @ difference)
    assert torch.allclose(turned[0], projected / projected.norm(), atol=1e-12)
    assert torch.allclose(turned[1:] @ difference, torch.zeros(rank - 1, dtype=torch.float64), atol=1e-12)


def test_rows_are_made_orthonormal_in_their_order_and_those_that_say_nothing_new_are_left_out():
    first, second = torch.linalg.qr(torch.randn(9, 2, dtype=torch.float64))[0].mT
    nearly = (first + 0.05 * second) / 1.0025**0.5
    step = torch.stack([first, nearly, (first + second) / 2**0.5])
    made = gram_schmidt_rows(step[None], torch.tensor([True]))
    # float64 rounding of a QR of three rows
    torch.testing.assert_close(made, torch.stack([first, second])[None], atol=1e-12, rtol=0)
    unused = gram_schmidt_rows(step[None], torch.tensor([False]))  # where nothing is steered none is missed
    assert unused.shape == (1, 3, 9)
    torch.testing.assert_close(unused @ unused.mT, torch.eye(3, dtype=torch.float64)[None], atol=1e-12, rtol=0)
