import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.interventions import (
    INTERVENTIONS,
    PRESETS,
    Rows,
    Settings,
    add,
    get_preset,
    mask_tokens,
    orthonormalise,
    restore_norm,
    suppress,
    within,
)

# Projections of unit-scale numbers in float32 over at most 64 channels: rounding stays below this.
TOLERANCE = 1e-5
ALL_ZERO = Settings("zero", "all", False, "both")


def rows_of(directions, strengths, offsets=None, leads=None):
    count = len(directions)
    return Rows(
        directions,
        torch.zeros(count) if offsets is None else offsets,
        torch.full((count,), float(strengths)) if not torch.is_tensor(strengths) else strengths,
        torch.zeros(count, dtype=torch.long) if leads is None else leads,
        directions,
    )


def basis(rank, width, seed=0):
    return torch.linalg.qr(torch.randn(width, rank, generator=torch.Generator().manual_seed(seed))).Q.T.contiguous()


tokens = st.integers(0, 2**31 - 1).map(
    lambda seed: torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(seed))
)


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
        out = suppress(x, rows_of(r, strength, torch.tensor([offset])), Settings("negative", gate))
        torch.testing.assert_close(out, x - strength * g[..., None] * r[0], atol=TOLERANCE, rtol=0)


@given(tokens)
def test_the_sign_of_a_direction_does_not_matter_without_gate(x):
    r = basis(1, 16)
    plus, minus = (suppress(x, rows_of(sign * r, 2.5), ALL_ZERO) for sign in (1, -1))
    torch.testing.assert_close(plus, minus, atol=TOLERANCE, rtol=0)


@given(tokens)
def test_the_negative_reference_lands_on_the_reference(x):
    r, offset = basis(1, 16), torch.tensor([0.7])
    out = suppress(x, rows_of(r, 1, offset), Settings("negative", "all"))
    torch.testing.assert_close(out @ r[0], torch.full(x.shape[:-1], 0.7), atol=TOLERANCE, rtol=0)


@given(tokens)
def test_a_closed_gate_leaves_the_token_bit_identical(x):
    r = basis(1, 16)
    out = suppress(x, rows_of(r, 2), Settings("zero", "positive"))
    closed = (x @ r[0]) < -TOLERANCE
    assert torch.equal(out[closed], x[closed])


@given(tokens)
def test_with_several_rows_the_lead_opens_the_gate_for_all(x):
    q = basis(3, 16)
    out = suppress(x, rows_of(q, 1), Settings("zero", "positive"))
    opened = (x @ q[0]) > TOLERANCE
    assert torch.equal(out[~opened & ((x @ q[0]) < -TOLERANCE)], x[~opened & ((x @ q[0]) < -TOLERANCE)])
    assert ((out @ q.T)[opened]).abs().max() < TOLERANCE if opened.any() else True


@given(tokens, st.floats(0.5, 3))
def test_keep_norm_keeps_every_token_as_long_as_it_was(x, strength):
    out = suppress(x, rows_of(basis(1, 16), strength), Settings("zero", "all", keep_norm=True))
    torch.testing.assert_close(out.norm(dim=-1), x.norm(dim=-1), atol=TOLERANCE, rtol=TOLERANCE)


def test_keep_norm_of_a_zero_token_is_zero():
    assert torch.equal(restore_norm(torch.zeros(1, 4), torch.zeros(1, 4)), torch.zeros(1, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_result_has_the_dtype_of_x_and_x_is_untouched(dtype):
    x = torch.randn(1, 3, 16).to(dtype)
    before = x.clone()
    assert suppress(x, rows_of(basis(1, 16), 1), ALL_ZERO).dtype == dtype
    assert torch.equal(x, before)


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


def test_presets_are_what_the_papers_say():
    assert get_preset("study").settings == Settings("zero", "all", False, "cond")
    assert get_preset("study").usual_strength == 2.5
    assert get_preset("casteer").settings.gate == "positive"
    assert PRESETS["precise"].settings.reference == "negative"


@pytest.mark.parametrize("bad", [{"reference": "x"}, {"gate": "x"}, {"half": "x"}])
def test_unknown_settings_are_refused_where_they_are_made(bad):
    with pytest.raises(ValueError, match="is not one of"):
        Settings(**bad)
    with pytest.raises(ValueError, match="study, casteer, precise, selective"):
        get_preset("x")


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


@given(tokens, st.floats(-3, 3), st.floats(0.1, 2))
def test_adding_moves_every_token_by_the_same(x, strength, gap):
    r = basis(1, 16)
    out = add(x, rows_of(r, strength * gap), Settings("negative", "threshold"))
    torch.testing.assert_close(out, x + strength * gap * r[0], atol=TOLERANCE, rtol=0)
    kept = add(x, rows_of(r, strength * gap), Settings(keep_norm=True))
    torch.testing.assert_close(kept.norm(dim=-1), x.norm(dim=-1), atol=TOLERANCE, rtol=TOLERANCE)


@given(tokens, st.floats(0.1, 2))
def test_replacing_puts_the_other_concept_where_the_first_was(x, ratio):
    """At strength 1: what lay g along a lies at a's reference, and g γ_b / γ_a further along b."""
    a, b = basis(2, 16)
    rows = Rows((a - ratio * b)[None], torch.tensor([0.3]), torch.ones(1), torch.zeros(1, dtype=torch.long), a[None])
    out = INTERVENTIONS["replace"](x, rows, Settings("negative", "all"))
    torch.testing.assert_close(out @ a, torch.full(x.shape[:-1], 0.3), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(out @ b, x @ b + ratio * (x @ a - 0.3), atol=TOLERANCE, rtol=0)
    gated = INTERVENTIONS["replace"](x, rows, Settings("negative", "positive"))
    closed = (x @ a) < 0.3 - TOLERANCE
    assert torch.equal(gated[closed], x[closed])
    torch.testing.assert_close(gated[(x @ a) > 0.3 + TOLERANCE], out[(x @ a) > 0.3 + TOLERANCE], atol=0, rtol=0)
