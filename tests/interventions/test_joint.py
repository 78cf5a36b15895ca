import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.interventions.engine import Steering
from steering.interventions.entry import Entry
from steering.interventions.joint import orthonormalise
from steering.interventions.operators import Rows
from steering.models.call import Call
from steering.sites import Site

from .conftest import BOTH, TOLERANCE, basis, even, rows_of, vector_for


@given(st.integers(0, 1000))
def test_orthonormalise_spans_what_it_was_given(seed):
    first, second = basis(2, 16, seed), basis(1, 16, seed + 1)
    kept, sources = orthonormalise([rows_of(first, 1), rows_of(second, 1)])
    q = torch.cat(kept)
    # Gram-Schmidt in float64, stored in float32.
    torch.testing.assert_close(q @ q.T, torch.eye(len(q)), atol=1e-6, rtol=0)
    torch.testing.assert_close(first @ q.T @ q, first, atol=TOLERANCE, rtol=0)
    assert [len(s) for s in sources] == [len(k) for k in kept]


def test_a_direction_said_before_is_dropped():
    r = basis(1, 16)
    nearly = torch.nn.functional.normalize(r + 0.05 * basis(1, 16, 5), dim=-1)
    kept, sources = orthonormalise([rows_of(r, 1), rows_of(nearly, 1)])
    assert (len(kept[0]), len(kept[1]), sources[1].tolist()) == (1, 0, [])


def test_an_entry_without_its_leading_row_does_not_act():
    rows = torch.eye(3)
    entries = [Rows(rows[:1], *(torch.zeros(1),) * 3, rows[:1]), Rows(rows[:2], *(torch.zeros(2),) * 3, rows[:2])]
    kept, sources = orthonormalise(entries)
    assert len(kept[0]) == 1
    assert len(kept[1]) == len(sources[1]) == 0


def test_several_vectors_of_equal_settings_are_orthonormalised(toy_model):
    site = Site.parse("in4.attn2")
    a, b = vector_for(toy_model, ["in4.attn2"], 1), vector_for(toy_model, ["in4.attn2"], 2)
    steering = Steering([Entry(a, 1.0, BOTH), Entry(b, 1.0, BOTH)])
    output = torch.randn(1, 16, 64)
    out = steering.edit(site, output, Call((5.0,), (True,)))
    knot = a.knot(5.0)
    for vector in (a, b):  # strength 1 removes the span of both, which one after the other would not
        assert (out @ vector.sites[site].direction[knot, 0]).abs().max() < 1e-5
    first_only = steering.edit(site, output, Call((5.0,), (True,)))
    assert torch.equal(out, first_only)


def test_the_same_vector_twice_counts_once_with_a_warning(toy_model):
    site, vector = Site.parse("in4.attn2"), vector_for(toy_model, ["in4.attn2"])
    output, call = torch.randn(1, 16, 64), Call((5.0,), (True,))
    once = Steering([Entry(vector, 2.5, BOTH)]).edit(site, output, call)
    with pytest.warns(UserWarning, match="already cover"):
        twice = Steering([Entry(vector, 2.5, BOTH), Entry(vector, 2.5, BOTH)]).edit(site, output, call)
    torch.testing.assert_close(once, twice, atol=1e-5, rtol=0)


@pytest.mark.parametrize("strengths", [(0.5, 2.0), (2.0, 0.5), (-2.0, 0.5)])
def test_of_the_same_vector_twice_the_stronger_counts(toy_model, strengths):
    site, vector = Site.parse("in4.attn2"), vector_for(toy_model, ["in4.attn2"])
    output, call = torch.randn(1, 16, 64), Call((5.0,), (True,))
    alone = {strength: Steering([Entry(vector, strength, BOTH)]).edit(site, output, call) for strength in strengths}
    assert not torch.allclose(*alone.values(), atol=1e-2)
    with pytest.warns(UserWarning, match="the stronger of both"):
        both = Steering([Entry(vector, strength, BOTH) for strength in strengths]).edit(site, output, call)
    torch.testing.assert_close(both, alone[max(strengths, key=abs)], atol=1e-5, rtol=0)


def test_a_direction_between_two_others_is_dropped_with_a_warning():
    first, second = torch.eye(2, 8)
    vectors = [even(Site.parse("in4.attn2"), row) for row in (first, second, (first + second) / 2**0.5)]
    output, call = torch.randn(1, 3, 8), Call((5.0,), (True,))
    with pytest.warns(UserWarning, match="was dropped"):
        made = Steering([Entry(vector, 1.0, BOTH) for vector in vectors]).edit(Site.parse("in4.attn2"), output, call)
    torch.testing.assert_close(made[..., :2], torch.zeros(1, 3, 2), atol=1e-6, rtol=0)
