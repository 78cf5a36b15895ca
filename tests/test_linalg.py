import pytest
import torch

from steering.linalg import lead_first


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
