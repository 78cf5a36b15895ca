"""What the tensors of a site must look like."""

from dataclasses import replace

import pytest
import torch

from steering.errors import SteeringError
from steering.sites import TEXT
from steering.vectors.site import SiteVector, check_shapes
from steering.vectors.vector import SteeringVector

WIDTH, KNOTS, CENTRES = 6, 1, 4


@pytest.fixture
def part():
    """A site with every optional tensor."""
    rows = torch.eye(2, WIDTH)[None]
    flat = torch.ones(KNOTS, WIDTH)
    local = {
        "centres": torch.randn(CENTRES, WIDTH),
        "coefficients": torch.randn(CENTRES, 2),
        "bandwidth": torch.ones(1),
        "trend": torch.randn(2, WIDTH + 1),
    }
    return SiteVector(
        rows,
        flat,
        flat,
        torch.ones(3, dtype=torch.bool),
        torch.ones(KNOTS, 2),
        rows,
        torch.ones(KNOTS),
        torch.ones(WIDTH + 1),
        **local,
    )


NAMES = (
    "direction",
    "negative_mean",
    "difference",
    "active",
    "threshold",
    "readout",
    "certainty",
    "condition",
    "centres",
    "coefficients",
    "bandwidth",
    "trend",
)


def test_a_whole_site_is_accepted(part):
    check_shapes(TEXT, part, KNOTS, 3)


@pytest.mark.parametrize("name", NAMES)
def test_a_tensor_of_another_shape_is_named(part, name):
    value = getattr(part, name)
    wrong = replace(part, **{name: torch.cat([value, value[..., :1]], -1)})
    with pytest.raises(SteeringError, match="expected"):
        check_shapes(TEXT, wrong, KNOTS, 3)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"active"}))
def test_what_is_not_finite_is_refused(part, name):
    value = getattr(part, name).clone()
    value.view(-1)[0] = float("nan")
    with pytest.raises(SteeringError, match=name):
        check_shapes(TEXT, replace(part, **{name: value}), KNOTS, 3)


@pytest.mark.parametrize("name", ["centres", "coefficients", "bandwidth"])
def test_a_local_map_is_whole_or_none_and_decides_the_picture(part, name):
    with pytest.raises(SteeringError, match="2 of a local map"):
        check_shapes(TEXT, replace(part, **{name: None}), KNOTS, 3)
    plain = SteeringVector({TEXT: part}, torch.ones(1), torch.tensor([3.0, 2.0, 1.0]))
    changed = replace(plain, sites={TEXT: replace(part, **{name: 2 * getattr(part, name)})})
    assert changed.digest() != plain.digest()


def test_a_local_map_is_of_one_noise_level(part):
    twice = {name: getattr(part, name).repeat_interleave(2, 0) for name in ("direction", "negative_mean", "difference")}
    alone = {"threshold": None, "readout": None, "certainty": None}
    with pytest.raises(SteeringError, match="one level"):
        check_shapes(TEXT, replace(part, **twice, **alone), 2, 3)


def test_rows_that_are_not_orthonormal_are_refused(part):
    with pytest.raises(SteeringError, match="not orthonormal"):
        check_shapes(TEXT, replace(part, direction=2 * part.direction), KNOTS, 3)
