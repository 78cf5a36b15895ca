import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.interventions.operators import INTERVENTIONS, Rows, add, restore_norm, suppress
from steering.interventions.presets import EditSettings

from .conftest import TOLERANCE, basis, rows_of, tokens

ALL_ZERO = EditSettings("zero", "all", False, "both")


@given(tokens, st.integers(1, 4))
def test_strength_one_removes_the_subspace_and_only_it(x, rank):
    q = basis(rank, 16)
    out = suppress(x, rows_of(q, 1), ALL_ZERO)
    assert (x @ q.T).abs().max() > 0.01  # the effect exists
    assert (out @ q.T).abs().max() < TOLERANCE
    moved = out - x
    torch.testing.assert_close(moved, moved @ q.T @ q, atol=TOLERANCE, rtol=0)


@given(tokens, st.integers(1, 3))
def test_projecting_twice_changes_nothing_more(x, rank):
    rows = rows_of(basis(rank, 16), 1)
    once = suppress(x, rows, ALL_ZERO)
    torch.testing.assert_close(suppress(once, rows, ALL_ZERO), once, atol=TOLERANCE, rtol=0)


@given(tokens)
def test_strength_two_without_reference_is_a_reflection(x):
    rows = rows_of(basis(1, 16), 2)
    out = suppress(x, rows, ALL_ZERO)
    torch.testing.assert_close(out.norm(dim=-1), x.norm(dim=-1), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(suppress(out, rows, ALL_ZERO), x, atol=2 * TOLERANCE, rtol=0)


@given(tokens, st.floats(-3, 3), st.floats(-1, 1))
def test_formulas_of_one_row(x, strength, offset):
    r = basis(1, 16)
    s = x @ r[0]
    for gate, g in (
        ("all", s - offset),
        ("positive", (s - offset).clamp_min(0)),
        ("threshold", (s - offset).clamp_min(0)),
    ):
        out = suppress(x, rows_of(r, strength, torch.tensor([offset])), EditSettings("negative", gate))
        torch.testing.assert_close(out, x - strength * g[..., None] * r[0], atol=TOLERANCE, rtol=0)


@given(tokens)
def test_the_sign_of_a_direction_does_not_matter_without_gate(x):
    r = basis(1, 16)
    plus, minus = (suppress(x, rows_of(sign * r, 2.5), ALL_ZERO) for sign in (1, -1))
    torch.testing.assert_close(plus, minus, atol=TOLERANCE, rtol=0)


@given(tokens)
def test_the_negative_reference_lands_on_the_reference(x):
    r, offset = basis(1, 16), torch.tensor([0.7])
    out = suppress(x, rows_of(r, 1, offset), EditSettings("negative", "all"))
    torch.testing.assert_close(out @ r[0], torch.full(x.shape[:-1], 0.7), atol=TOLERANCE, rtol=0)


@given(tokens)
def test_a_closed_gate_leaves_the_token_bit_identical(x):
    r = basis(1, 16)
    out = suppress(x, rows_of(r, 2), EditSettings("zero", "positive"))
    closed = (x @ r[0]) < -TOLERANCE
    assert torch.equal(out[closed], x[closed])


@given(tokens)
def test_with_several_rows_the_lead_opens_the_gate_for_all(x):
    q = basis(3, 16)
    out = suppress(x, rows_of(q, 1), EditSettings("zero", "positive"))
    opened = (x @ q[0]) > TOLERANCE
    assert torch.equal(out[~opened & ((x @ q[0]) < -TOLERANCE)], x[~opened & ((x @ q[0]) < -TOLERANCE)])
    assert ((out @ q.T)[opened]).abs().max() < TOLERANCE if opened.any() else True


@given(tokens, st.floats(0.5, 3))
def test_keep_norm_keeps_every_token_as_long_as_it_was(x, strength):
    out = suppress(x, rows_of(basis(1, 16), strength), EditSettings("zero", "all", keep_norm=True))
    torch.testing.assert_close(out.norm(dim=-1), x.norm(dim=-1), atol=TOLERANCE, rtol=TOLERANCE)


def test_keep_norm_of_a_zero_token_is_zero():
    assert torch.equal(restore_norm(torch.zeros(1, 4), torch.zeros(1, 4)), torch.zeros(1, 4))


@pytest.mark.parametrize("operator", [suppress, add])
def test_the_tokens_themselves_stay_as_they_are(operator):
    x = torch.randn(1, 3, 16)
    before = x.clone()
    assert not torch.equal(operator(x, rows_of(basis(1, 16), 1), ALL_ZERO), before)
    assert torch.equal(x, before)


@given(tokens, st.floats(-3, 3), st.floats(0.1, 2))
def test_adding_moves_every_token_by_the_same(x, strength, gap):
    r = basis(1, 16)
    out = add(x, rows_of(r, strength * gap), EditSettings("negative", "threshold"))
    torch.testing.assert_close(out, x + strength * gap * r[0], atol=TOLERANCE, rtol=0)
    kept = add(x, rows_of(r, strength * gap), EditSettings(keep_norm=True))
    torch.testing.assert_close(kept.norm(dim=-1), x.norm(dim=-1), atol=TOLERANCE, rtol=TOLERANCE)


@given(tokens, st.floats(0.1, 2))
def test_replacing_puts_the_other_concept_where_the_first_was(x, ratio):
    """At strength 1: what lay g along a lies at a's reference, and g γ_b / γ_a further along b."""
    a, b = basis(2, 16)
    rows = Rows((a - ratio * b)[None], torch.tensor([0.3]), torch.ones(1), torch.zeros(1, dtype=torch.long), a[None])
    out = INTERVENTIONS["replace"](x, rows, EditSettings("negative", "all"))
    torch.testing.assert_close(out @ a, torch.full(x.shape[:-1], 0.3), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(out @ b, x @ b + ratio * (x @ a - 0.3), atol=TOLERANCE, rtol=0)
    gated = INTERVENTIONS["replace"](x, rows, EditSettings("negative", "positive"))
    closed = (x @ a) < 0.3 - TOLERANCE
    assert torch.equal(gated[closed], x[closed])
    torch.testing.assert_close(gated[(x @ a) > 0.3 + TOLERANCE], out[(x @ a) > 0.3 + TOLERANCE], atol=0, rtol=0)
