"""What a vector says at one noise level is what counts there, and not what it says at another."""

import pytest
import torch

from steering.interventions.engine import Steering
from steering.interventions.entry import Entry
from steering.interventions.presets import EditSettings
from steering.models.call import Call
from steering.sites import Site
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

SITE, SIGMAS = Site.parse("in4.attn2"), torch.tensor([10.0, 1.0, 0.1])
EYE = torch.eye(6)
PROJECTION = EditSettings("zero", "all", False, "both")


def part(first=0, **more):
    """Direction e_{first + knot}, negative mean knot + 1 and difference 2 (knot + 1) along it."""
    direction = EYE[first : first + 3][:, None]
    scale = torch.arange(1.0, 4.0)[:, None]
    return SiteVector(direction, scale * direction[:, 0], 2 * scale * direction[:, 0], torch.ones(3).bool(), **more)


def vector(**more):
    return SteeringVector({SITE: part(**more)}, SIGMAS, SIGMAS)


def steered(entry, sigma):
    tokens = torch.full((1, 1, 6), 5.0)
    result = Steering([entry]).edit(SITE, tokens, Call((sigma,), (True,)))
    return tokens[0, 0] if result is None else result[0, 0]


@pytest.mark.parametrize(("sigma", "knot"), [(12.0, 0), (1.1, 1), (0.05, 2)])
def test_direction_reference_gap_threshold_and_readout_are_those_of_the_nearest_knot(sigma, knot):
    row, level = EYE[knot], knot + 1.0
    plain = torch.full((6,), 5.0)
    assert torch.equal(steered(Entry(vector(), 1.0, PROJECTION), sigma), plain - 5 * row)
    negative = EditSettings("negative", "all", False, "both")
    assert torch.equal(steered(Entry(vector(), 1.0, negative), sigma), plain - (5 - level) * row)
    assert torch.equal(steered(Entry(vector(), 1.0, PROJECTION, mode="add"), sigma), plain + 2 * level * row)
    gated = Entry(
        vector(threshold=torch.tensor([[1.0], [2.0], [9.0]])), 1.0, EditSettings("negative", "threshold", False, "both")
    )
    assert torch.equal(steered(gated, sigma), plain - max(5 - [1.0, 2.0, 9.0][knot], 0) * row)
    read = vector(readout=(torch.arange(1.0, 4.0)[:, None] * EYE[3:6])[:, None])
    assert torch.equal(steered(Entry(read, 1.0, PROJECTION), sigma), plain - 5 * level * row)
    assert torch.equal(steered(Entry(read, 1.0, negative), sigma), plain - 5 * level * row)  # e_{3+k} reads 0 of m
    target = SteeringVector({SITE: part(first=3)}, SIGMAS, SIGMAS)
    replaced = Entry(vector(), 1.0, PROJECTION, mode="replace", target=target)
    # 5 of a, which is 5 / (2 level) of its gap, becomes as much of b's displacement 2 level e_{3+k}.
    assert torch.allclose(steered(replaced, sigma), plain - 5 * row + 5 * EYE[3 + knot], atol=1e-5)


def test_a_window_holds_both_its_ends():
    entry = Entry(vector(), 1.0, PROJECTION, window=(10.0, 1.0))
    assert [entry.acts(SITE, sigma) for sigma in (10.1, 10.0, 3.0, 1.0, 0.9)] == [False, True, True, True, False]
    with pytest.raises(ValueError, match="ends before it starts"):
        Entry(vector(), 1.0, PROJECTION, window=(1.0, 10.0))
    assert Entry(vector(), 1.0, PROJECTION, window=(1.0, 1.0)).acts(SITE, 1.0)


def test_an_addition_comes_after_what_is_taken_out():
    taken, added = Entry(vector(), 1.0, PROJECTION), Entry(vector(), 1.0, PROJECTION, mode="add")
    for entries in ([taken, added], [added, taken]):
        result = Steering(entries).edit(SITE, torch.full((1, 1, 6), 5.0), Call((1.0,), (True,)))
        assert result[0, 0, 1] == 4.0  # 5 taken out, then the gap 2 * 2 added; the other order would leave 0


def test_where_a_gap_is_uncertain_it_measures_nothing():
    unsure = vector(certainty=torch.tensor([2.0, 1.0, 3.0]))
    added = Entry(unsure, 1.0, PROJECTION, mode="add")
    assert [added.acts(SITE, sigma) for sigma in (10.0, 1.0, 0.1)] == [True, False, True]
    assert Entry(unsure, 1.0, PROJECTION).acts(SITE, 1.0)
