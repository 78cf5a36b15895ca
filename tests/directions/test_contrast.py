import sys
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.directions.contrast import (
    ALPHAS,
    best_alpha,
    candidates,
    contrast_of,
    discriminability,
    held_out,
    medoids,
    second_moment,
)
from steering.directions.methods import CONTRASTS, get_direction

# Symmetric solvers in float64; eigenvectors lose digits where eigenvalues lie close together.
CLOSE = 1e-8
seeds = st.integers(0, 10_000)


def samples(seed, count=20, width=30):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, count, width, generator=generator, dtype=torch.float64)


def planted(seed=0, pairs=50, width=200):
    """Pairs that share a small shift, in pictures that all differ widely along another direction."""
    generator = torch.Generator().manual_seed(seed)
    shift, nuisance = torch.linalg.qr(torch.randn(width, 2, generator=generator, dtype=torch.float64))[0].T
    wide = 10 * torch.randn(2, pairs, 1, generator=generator, dtype=torch.float64) * nuisance
    positive, negative = wide + 0.1 * torch.randn(2, pairs, width, generator=generator, dtype=torch.float64)
    return positive + 2 * shift, negative, shift, nuisance


@given(seeds, st.floats(0, 100), st.sampled_from([(12, 9), (5, 40)]))
def test_in_the_span_of_the_samples_it_is_the_whole_matrix(seed, alpha, shape):
    foreground, background = samples(seed, *shape)
    whole = second_moment(foreground) - alpha * second_moment(background)
    values, vectors = torch.linalg.eigh(whole)
    rows = contrast_of(foreground, background).components(alpha, 3)
    torch.testing.assert_close(rows @ rows.T, torch.eye(3, dtype=torch.float64), atol=CLOSE, rtol=0)
    leading = vectors.flip(1)[:, :3]
    if float(values.flip(0)[2] - values.flip(0)[3]) > 1e-3:  # else the third is not a direction but a choice
        torch.testing.assert_close(rows.T @ rows, leading @ leading.T, atol=1e-6, rtol=0)


@given(seeds)
def test_alpha_zero_is_the_foregrounds_own_components(seed):
    foreground, background = samples(seed)
    rows = contrast_of(foreground, background).components(0, 2)
    leading = torch.linalg.svd(foreground).Vh[:2]
    torch.testing.assert_close(rows.T @ rows, leading.T @ leading, atol=1e-6, rtol=0)


@given(seeds, st.floats(0.01, 100))
def test_scale_plays_no_part(seed, scale):
    foreground, background = samples(seed)
    rows = contrast_of(foreground, background).components(1.0, 2)
    scaled = contrast_of(scale * foreground, background).components(1.0, 2)
    torch.testing.assert_close(rows.T @ rows, scaled.T @ scaled, atol=1e-6, rtol=0)


def test_a_planted_contrast_is_found_where_principal_components_fail():
    positive, negative, shift, nuisance = planted()
    made = contrast_of(positive - negative, negative - negative.mean(0))
    assert (made.components(0, 1)[0] @ nuisance).abs() > 0.99  # what varies most has nothing to do with it
    # The noise of 50 pairs in 200 channels turns it a little.
    assert (made.components(10, 1)[0] @ shift).abs() > 0.9
    centred = contrast_of(positive - positive.mean(0), negative - negative.mean(0))
    assert (centred.components(10, 1)[0] @ shift).abs() < 0.5  # centring removes what all pairs share


def test_the_automatic_alpha_finds_it_too():
    positive, negative, shift, _ = planted()

    def method(p, n, alpha):
        rows = contrast_of(p - n, n - n.mean(0)).components(alpha, 1)
        return rows * torch.sign(rows[0] @ (p - n).mean(0))

    few = candidates(contrast_of(positive - negative, negative - negative.mean(0)))
    assert few[0] == 0
    assert 2 <= len(few) <= 4
    alpha = best_alpha(positive, negative, lambda p, n: partial(method, p, n), few)
    assert alpha > 0
    assert method(positive, negative, alpha)[0] @ shift > 0.9
    assert held_out(positive, negative, lambda p, n: method(p, n, alpha)) > 0.9
    assert held_out(positive, negative, lambda p, n: method(p, n, 0.0)) < 0.5
    assert candidates(contrast_of(positive - negative, negative - negative.mean(0))) == few  # the same every time


@pytest.mark.parametrize("name", CONTRASTS)
@pytest.mark.parametrize("background", [False, True])
def test_the_automatic_alpha_is_the_best_of_the_candidates_by_its_definition(name, background):
    positive, negative, _, _ = planted()
    more = [samples(7, 30, positive.shape[1])[0]] if background else []
    direct = get_direction(name)
    few = candidates(CONTRASTS[name](positive, negative, *more))
    worth = {
        alpha: held_out(
            positive, negative, lambda p, n, a=alpha: direct(p, n, 1, alpha=a, background=(more or [None])[0])
        )
        for alpha in few
    }
    assert len({round(value, 6) for value in worth.values()}) > 1  # there is something to choose
    expected = direct(positive, negative, 1, alpha=max(worth, key=worth.get), background=(more or [None])[0])
    # It is found in the samples' span and in other eigenvectors' company, so equal to rounding alone.
    made = get_direction(name, "auto")(positive, negative, 1, *more)
    torch.testing.assert_close(made, expected, atol=1e-9, rtol=0)


@given(seeds)
def test_affinities_are_those_of_subspaces(seed):
    made = contrast_of(*samples(seed))
    affinities = made.affinities()
    torch.testing.assert_close(affinities, affinities.T, atol=CLOSE, rtol=0)
    torch.testing.assert_close(affinities.diagonal(), torch.ones(len(ALPHAS), dtype=torch.float64), atol=CLOSE, rtol=0)
    assert (affinities >= 0).all()
    rows = [made.components(ALPHAS[i], 2) for i in (0, 25)]
    angles = torch.linalg.svdvals(rows[0] @ rows[1].T)
    torch.testing.assert_close(affinities[0, 25], angles.prod(), atol=1e-6, rtol=0)


def test_each_cluster_is_stood_for_by_the_one_nearest_to_its_others():
    blocks = torch.block_diag(*(torch.full((n, n), 0.8) for n in (5, 7, 4))).double()
    blocks.fill_diagonal_(1)
    blocks[2, :5] = blocks[:5, 2] = 0.95  # the middle of the first
    blocks[2, 2] = 1
    found = medoids(blocks)
    assert found[0] == 2
    assert [i // 5 if i < 5 else 1 if i < 12 else 2 for i in found] == [0, 1, 2]


def test_discriminability_is_one_where_all_pairs_move_alike_and_nothing_where_they_do_not():
    assert discriminability(torch.full((5,), 3.0)) == pytest.approx(1)
    assert discriminability(torch.full((5,), -3.0)) == 0
    assert discriminability(torch.tensor([1.0, -1.0])) == 0
    assert discriminability(torch.zeros(3)) == 0


def test_noise_is_not_told_apart_however_few_pairs():
    """About 1 / N is left to chance; a ratio a fold would leave 1 / (N / 5), and 1 to folds of one pair."""
    for pairs in (5, 10, 50):
        values = []
        for seed in range(40):
            positive, negative = samples(seed, pairs, 60)
            values.append(
                held_out(positive, negative, lambda p, n: torch.nn.functional.normalize((p - n).mean(0)[None]))
            )
        assert sum(values) / len(values) < 2 / pairs


def test_without_scikit_learn_there_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(ValueError, match="pip install scikit-learn"):
        medoids(torch.eye(5, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["nothing", "one direction", "equal in all", "one sample"])
def test_leading_components_are_orthonormal_where_eigenvalues_meet(kind):
    """Solvers for a few eigenvectors part those of equal values by extra work; some give up there."""
    foreground = {
        "nothing": torch.zeros(6, 9),
        "one direction": torch.ones(6, 9),
        "equal in all": torch.eye(9),
        "one sample": torch.randn(1, 9, generator=torch.Generator().manual_seed(0)),
    }[kind].double()
    made = contrast_of(foreground, torch.zeros(1, 9, dtype=torch.float64))
    count = min(3, len(made.foreground))
    rows = made.components(1.0, count)
    torch.testing.assert_close(rows @ rows.T, torch.eye(count, dtype=torch.float64), atol=CLOSE, rtol=0)
