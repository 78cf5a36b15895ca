import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from steering.directions.condition import PENALTY, RIDGE, condition, holds
from steering.models.conditioning import LENGTH


def pairs(seed, count=20, tokens=6, width=12, shift=4.0):
    """Prompts of random tokens whose positive's third token is moved along one direction, and the direction."""
    generator = torch.Generator().manual_seed(seed)
    negative = torch.randn(count, tokens, width, generator=generator, dtype=torch.float64)
    along = torch.nn.functional.normalize(torch.randn(width, generator=generator, dtype=torch.float64), dim=0)
    positive = negative.clone()
    positive[:, 2] = shift * 3 * along + 0.3 * torch.randn(count, width, generator=generator, dtype=torch.float64)
    return positive, negative, along


@given(st.integers(0, 1000))
def test_new_prompts_are_told_apart_wherever_the_concept_stands(seed):
    positive, negative, along = pairs(seed)
    rule = condition(positive, negative)
    fresh_positive, fresh_negative, _ = pairs(seed + 5000)
    new = fresh_negative.clone()
    new[:, 5] = 12 * along + 0.3 * fresh_positive[:, 0]
    assert holds(new, rule).all()
    # Largest of six tokens in unit noise against twelve deviations: with b between them none comes near.
    assert not holds(fresh_negative, rule).any()


def test_one_word_decides_for_its_whole_prompt():
    positive, negative, _ = pairs(0)
    rule = condition(positive, negative)
    assert holds(torch.stack([positive[0], negative[0]]), rule).tolist() == [[True] * 6, [False] * 6]


def test_a_word_decides_for_its_own_chunk_of_a_long_prompt():
    positive, negative, _ = pairs(0)
    rule = condition(positive, negative)
    long = torch.zeros(2 * LENGTH, 12, dtype=torch.float64)
    long[70] = positive[0, 2]
    assert holds(long, rule).nonzero().flatten().tolist() == list(range(LENGTH))


def test_prompts_with_and_without_lie_on_either_side_and_about_as_far():
    positive, negative, _ = pairs(4)
    rule = condition(positive, negative)
    over = float((positive @ rule[:-1]).amax(1).min() - rule[-1])
    under = float(rule[-1] - (negative @ rule[:-1]).max())
    assert over > 0 and under > 0
    # As many prompts pull at the number from either side; how near the nearest comes differs by chance.
    assert 0.5 < over / under < 2


def objective(positive, negative, rule):
    """What the row and the number are to make least, as the equations say it."""
    tokens = negative.flatten(0, 1)
    spread = torch.cov(tokens.mT, correction=0)
    spread = spread + RIDGE * spread.trace() / len(spread) * torch.eye(len(spread), dtype=spread.dtype)
    row, number = rule[:-1], rule[-1]
    over, under = ((side @ row).amax(1) - number for side in (positive, negative))
    softplus = torch.nn.functional.softplus
    return float(softplus(-over).mean() + softplus(under).mean() + PENALTY * row @ spread @ row)


@given(st.integers(0, 1000))
def test_no_row_or_number_near_by_does_better(seed):
    positive, negative, _ = pairs(seed)
    # Far from easy: a third of the negatives hold something of the concept.
    negative[::3, 1] = 0.6 * positive[::3, 2]
    found = condition(positive, negative)
    best = minimize_scalar(lambda scale: objective(positive, negative, scale * found), bounds=(0, 10), method="bounded")
    rule = best.x * found
    generator = torch.Generator().manual_seed(seed)
    for size in (0.03, 0.1, 0.3):
        step = torch.randn(len(rule), generator=generator, dtype=rule.dtype)
        other = rule + size * rule.norm() * step / step.norm()
        # The solver stops where a step gains less than about 1e-9 of the value.
        assert objective(positive, negative, other) > best.fun - 1e-6


def test_a_set_of_unlike_things_is_one_concept():
    positive, negative, along = pairs(7)
    other = torch.nn.functional.normalize(torch.roll(along, 3) - along * (along @ torch.roll(along, 3)), dim=0)
    positive[::2, 2] = negative[::2, 2] + 12 * other
    rule = condition(positive, negative)
    assert holds(positive, rule).all()
    assert not holds(negative, rule).any()


def test_words_that_both_sides_hold_decide_nothing():
    positive, negative, along = pairs(1)
    other = torch.roll(along, 1)
    for side in (positive, negative):
        side[:, 4] = 12 * other  # a word as far out as the concept's, in every prompt
    rule = condition(positive, negative)
    assert abs(float(rule[:-1] @ other)) < 0.2 * float(rule[:-1] @ along)


@given(st.floats(0.01, 100))
def test_the_scale_of_the_activations_plays_no_part(scale):
    positive, negative, _ = pairs(2)
    plain, scaled = condition(positive, negative), condition(scale * positive, scale * negative)
    torch.testing.assert_close(scaled[:-1], plain[:-1], rtol=1e-6, atol=1e-8)  # float64
    torch.testing.assert_close(scaled[-1:], scale * plain[-1:], rtol=1e-6, atol=0)


def test_what_is_to_be_kept_is_not_taken_for_the_concept():
    positive, negative, along = pairs(8)
    across = torch.nn.functional.normalize(torch.roll(along, 1) - along * (along @ torch.roll(along, 1)), dim=0)
    sibling = pairs(9, tokens=4)[1]  # shorter prompts, too
    sibling[:, 1] = 9 * along + 9 * across
    assert holds(sibling, condition(positive, negative)).all()
    rule = condition(positive, negative, [sibling[:10], sibling[10:15]])
    assert not holds(sibling, rule).any()
    assert holds(positive, rule).all()


def test_equal_sides_hold_nothing():
    _, negative, _ = pairs(3)
    assert torch.isfinite(condition(negative, negative)).all()
