"""The source study's contrastive PCA against its formulas, written out once more from its code."""

import pytest
import torch

from steering.activations.store import Activations
from steering.directions.source_study import FLOOR, LEAST, components, moved_along, read_along
from steering.errors import SteeringError
from steering.sites import SD15_SITES
from steering.vectors.build import build


def theirs(x, positive, negative, lam, at):
    """The study's `apply_steering_pca`, or `apply_steering` where it found fewer than five components."""
    r = (positive - negative).mean(0)
    X, Y = at
    S = torch.cov(X.T) - torch.cov(Y.T)
    values, vectors = torch.linalg.eigh(S)
    values, order = torch.sort(values, descending=True)
    vectors = vectors[:, order]
    values, vectors = values[values > 0.5], vectors[:, values > 0.5]
    number = int((torch.cumsum(values, 0) / values.sum() < 0.95).sum()) + 1
    if len(values[:number]) < 5:
        r = r / r.norm()
        return x + lam * (x * r).sum(-1, keepdim=True) * r
    pcs = vectors[:, :number]
    compressed = r @ pcs
    built = compressed @ pcs.T + X.mean(0)
    compressed, built = compressed / compressed.norm(), built / built.norm()
    return x + lam * ((x @ pcs) * compressed).sum(-1, keepdim=True) * built


def samples(scale, seed=0, n=30, width=12):
    generator = torch.Generator().manual_seed(seed)
    spread = torch.linspace(2, 0.2, width, dtype=torch.float64)
    positive = scale * spread * torch.randn(n, width, generator=generator, dtype=torch.float64) + 1
    return positive, 0.3 * torch.randn(n, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("scale", [3.0, 0.2])
def test_a_token_moves_as_in_the_study_s_code(scale):
    positive, negative = samples(scale)
    before = torch.stack(samples(scale, seed=1))
    x = torch.randn(7, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    d, w = moved_along(positive, negative, 1, before), read_along(positive, negative, before)
    moved = x - 2.5 * (x @ w.T) @ d
    torch.testing.assert_close(moved, theirs(x, positive, negative, -2.5, before))  # float64 on both sides
    assert (components(*before) is None) == (scale < 1)  # both branches are tried


def test_few_components_fall_back_on_the_mean_difference():
    positive, negative = samples(0.2)
    plain = torch.nn.functional.normalize((positive - negative).mean(0, keepdim=True), dim=-1)
    previous = torch.stack([positive, negative])
    assert torch.equal(moved_along(positive, negative, 1, previous), plain)
    assert torch.equal(read_along(positive, negative, previous), plain)


def test_components_are_those_above_the_floor_up_to_95_percent():
    width = 8
    values = torch.tensor([9.0, 8, 7, 6, 5, 4, 0.6, 0.2], dtype=torch.float64)
    # Rows whose sample covariance is exactly diagonal.
    rows = torch.cat([torch.diag(values.sqrt()), -torch.diag(values.sqrt())]) * ((2 * width - 1) / 2) ** 0.5
    nothing = torch.zeros(2 * width, width, dtype=torch.float64)
    found = components(rows, nothing)
    kept = values[values > FLOOR]
    count = int((kept.cumsum(0) / kept.sum() < 0.95).sum()) + 1
    assert count == 6
    torch.testing.assert_close(found.abs(), torch.eye(width, dtype=torch.float64)[:count])
    assert components(rows * 0.097**0.5, nothing) is None  # four are left above the floor
    assert LEAST == 5


def test_a_vector_takes_its_components_from_the_step_before():
    site, steps = SD15_SITES[0], 4
    both = [torch.stack(samples(3.0, seed=step)) for step in range(steps)]
    captured = Activations({site: torch.stack(both, 2).float()}, torch.linspace(10, 1, steps), {})
    vector = build(captured, direction="cpca-source", select_by=str(site))
    tensor = captured.tensors[site].double()
    part = vector.sites[site]
    late = 0
    for knot in range(len(captured.sigmas)):
        before = tensor[:, :, max(knot - 1, 0)]
        d, w = (f(*tensor[:, :, knot], *more, before) for f, more in ((moved_along, (1,)), (read_along, ())))
        torch.testing.assert_close(part.direction[knot].double(), d, atol=1e-6, rtol=0)  # stored in float32
        torch.testing.assert_close(part.readout[knot].double(), w, atol=1e-6, rtol=0)
        late += not torch.allclose(moved_along(*tensor[:, :, knot], 1, tensor[:, :, knot]), d, atol=1e-3)
    assert late  # taking a step's own components would differ


def test_it_is_a_single_direction():
    with pytest.raises(SteeringError, match="is a single one"):
        moved_along(*samples(1.0), 2, torch.stack(samples(1.0)))
