from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from steering.activations.store import Activations
from steering.folds import fold_numbers
from steering.scores.navigator import Scores, as_lines, cross_fitted, in_sample, score
from steering.scores.selection import select
from steering.sites import SD15_SITES, TEXT, Site


def noise(width, pairs=50, steps=1, seed=0):
    return torch.randn(2, pairs, steps, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def planted(strength, width=64, pairs=50, steps=1, seed=0):
    tensor = noise(width, pairs, steps, seed)
    direction = torch.nn.functional.normalize(noise(width, 1, 1, seed + 99)[0, 0, 0], dim=0)
    tensor[0] += strength * direction
    return tensor


def direct(tensor):
    """D and C straight from the scatter matrices of the paper, for one step ``[2, N, C]``."""
    positive, negative = tensor
    pooled = torch.cat([positive, negative])
    z_all = (pooled - pooled.mean(0)) / pooled.std(0, unbiased=False)
    zp, zn = z_all[: len(positive)], z_all[len(positive) :]
    v = (positive - negative).mean(0)
    v = v / v.norm()
    means = [z.mean(0) for z in (zp, zn)]
    overall = z_all.mean(0)
    between = sum(len(z) * torch.outer(m - overall, m - overall) for z, m in zip((zp, zn), means, strict=True))
    within = sum((z - m).T @ (z - m) for z, m in zip((zp, zn), means, strict=True))
    discriminability = (v @ between @ v) / (v @ (between + within) @ v)
    consistency = torch.nn.functional.cosine_similarity(zp - zn, v[None], dim=-1).mean()
    return discriminability, consistency


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 5))
def test_the_published_form_is_the_scatter_matrix_form(seed, strength):
    tensor = planted(strength, width=24, pairs=20, seed=seed)
    expected = torch.stack(direct(tensor[:, :, 0]))
    # Both in float64; 1e-6 is the promise, 1e-10 is what two orders of summation leave.
    torch.testing.assert_close(torch.cat(in_sample(tensor)), expected, atol=1e-10, rtol=0)


def test_pure_noise_favours_wide_layers_in_the_published_form_only():
    repeats = 12
    published = {w: torch.cat([in_sample(noise(w, seed=s))[0] for s in range(repeats)]) for w in (320, 640, 1280)}
    fair = {
        w: torch.cat([cross_fitted(noise(w, seed=s), fold_numbers(50))[0] for s in range(repeats)])
        for w in (320, 640, 1280)
    }
    means = [float(published[w].mean()) for w in (320, 640, 1280)]
    assert means == sorted(means)
    assert means[2] - means[0] > 0.1  # the defect is there: .77, .87, .93
    # Standard error of a mean of 12, times 4: equal within its noise.
    error = 4 * float(torch.cat(list(fair.values())).std()) / repeats**0.5
    spread = [float(fair[w].mean()) for w in (320, 640, 1280)]
    assert max(spread) - min(spread) < 2 * error
    assert max(spread) < 0.1


def test_cross_fitted_consistency_of_noise_is_zero():
    values = torch.stack([cross_fitted(noise(640, seed=s), fold_numbers(50))[1] for s in range(12)])
    assert abs(float(values.mean())) < 0.02  # cosine of random vectors at width 640: sd .04 / sqrt(12 * 50)


def activations(tensors):
    sites = dict(zip(SD15_SITES, tensors, strict=False))
    return Activations({s: t.float() for s, t in sites.items()}, torch.linspace(10, 1, tensors[0].shape[2]))


@pytest.mark.parametrize("mode", ["cross-fitted", "paper"])
def test_the_ranking_of_planted_concepts_is_recovered(mode):
    strengths = [0.0, 1.0, 2.0, 4.0, 8.0]
    scores = score(activations([planted(s, seed=i) for i, s in enumerate(strengths)]), mode)
    assert scores.table().mean(1).argsort().tolist() == [0, 1, 2, 3, 4]


def test_a_wide_layer_without_concept_does_not_beat_a_narrow_one_with_it():
    spectrum = lambda width: torch.arange(1, width + 1, dtype=torch.float64) ** -0.25  # noqa: E731
    narrow, wide = planted(1.5, width=320, seed=1) * spectrum(320), noise(1280, seed=2) * spectrum(1280)
    fair = [float(cross_fitted(t, fold_numbers(t.shape[1]))[0]) for t in (narrow, wide)]
    assert fair[0] > fair[1]


def test_inactive_steps_score_zero_and_are_never_selected():
    tensor = planted(3, steps=3)
    tensor[1, :, 0] = tensor[0, :, 0]  # identical at the first step
    scores = score(activations([tensor, planted(1, steps=3, seed=5)]))
    first = SD15_SITES[0]
    assert scores.sites[first].score[0] == 0
    assert scores.active[first].tolist() == [False, True, True]
    assert not select(scores, "per-step", 2)[first][0]
    assert select(scores, "overall", 1)[first].tolist() == [False, True, True]


def test_constant_features_do_no_harm():
    tensor = planted(3)
    tensor[..., 5] = 2.0
    assert all(
        torch.isfinite(part).all()
        for part in (*in_sample(tensor), *cross_fitted(tensor, fold_numbers(tensor.shape[1])))
    )


def test_per_step_takes_k_sites_at_every_step():
    scores = score(activations([planted(s, steps=4, seed=i) for i, s in enumerate((1, 2, 3, 4))]))
    chosen = torch.stack(list(select(scores, "per-step", 2).values()))
    assert chosen.sum(0).tolist() == [2, 2, 2, 2]
    assert len(select(scores, "overall", 3)) == 3
    assert list(select(scores, "resnet", 1)) == [SD15_SITES[0]]


@pytest.mark.parametrize(
    ("how", "k", "message"),
    [("per-step", 0, "at least 1"), ("attn3", 1, "site"), ("in4.attn2", 1, "not in this model")],
)
def test_bad_selections_are_refused(how, k, message):
    scores = score(activations([planted(1)]))
    with pytest.raises(ValueError, match=message):
        select(scores, how, k)


def test_bad_modes_and_too_few_pairs_are_refused():
    with pytest.raises(ValueError, match="cross-fitted, paper"):
        score(activations([planted(1)]), "x")
    with pytest.raises(ValueError, match="at least 10 pairs"):
        score(activations([planted(1, pairs=5)]))
    with pytest.raises(ValueError, match="no site reacts"):
        same = noise(8)
        same[1] = same[0]
        select(score(activations([same])), "per-step", 3)


def test_scores_round_trip(tmp_path):
    scores = score(activations([planted(2, steps=3), planted(1, steps=3, seed=3)]))
    scores.save(tmp_path / "s.json")
    loaded = Scores.load(tmp_path / "s.json")
    assert torch.equal(loaded.table(), scores.table())
    assert loaded.active[Site.parse("in1.resnet")].dtype == torch.bool
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ValueError, match="not a scores file"):
        Scores.load(tmp_path / "bad.json")


def test_a_rule_may_pick_among_some_sites_only():
    scores = score(activations([planted(3, seed=i) for i in range(10)]))
    for rule in ("per-step", "overall"):
        chosen = select(scores, f"{rule}:attn2", 1)
        assert {site.kind for site in chosen} == {"attn2"}
        there = [site for site in scores.sites if site.kind == "attn2"]
        best = max(there, key=lambda site: scores.sites[site].score.mean())
        assert len(there) > 1
        assert set(chosen) == {best}


def test_random_sets_have_the_size_asked_for_and_follow_their_seed():
    scores = score(activations([planted(3, seed=i) for i in range(20)]))
    drawn = {seed: set(select(scores, f"random:{seed}", 5)) for seed in range(8)}
    assert {len(sites) for sites in drawn.values()} == {5}
    assert len({frozenset(sites) for sites in drawn.values()}) > 5
    assert set(select(scores, "random:3", 5)) == drawn[3]
    assert set(select(scores, "random", 5)) == drawn[0]
    assert len(select(scores, "random", 100)) == 20
    with pytest.raises(ValueError, match="random:x"):
        select(scores, "random:x", 5)


def many(pairs=20):
    tensors = {
        site: planted(s, pairs=pairs, steps=2, seed=i)
        for i, (site, s) in enumerate(zip(SD15_SITES, (0, 6, 2), strict=False))
    }
    return Activations(tensors, torch.tensor([9.0, 1.0]))


@pytest.mark.parametrize(("mode", "rule"), [("cross-fitted", cross_fitted), ("paper", in_sample)])
def test_a_mode_scores_by_its_own_rule(mode, rule):
    activations = many()
    made = score(activations, mode)
    folds = (activations.folds,) if mode == "cross-fitted" else ()
    assert made.mode == mode
    assert made.metadata == {"pairs": 20}
    for site, tensor in activations.tensors.items():
        discriminability, consistency = rule(tensor.double(), *folds)
        torch.testing.assert_close(made.sites[site].score.double(), discriminability + consistency)
    site = SD15_SITES[2]
    assert not torch.allclose(score(activations, "paper").sites[site].score, score(activations).sites[site].score)


def test_the_ranking_names_the_best_sites_first(tmp_path):
    made = score(many())
    best = made.ranking(2)
    assert list(best) == [str(SD15_SITES[1]), str(SD15_SITES[2])]
    assert best[str(SD15_SITES[1])] == float(made.sites[SD15_SITES[1]].score.mean())
    assert as_lines({"in1.attn2": 1.5, "mid.ff": 0.25}) == "in1.attn2        1.500\nmid.ff           0.250"
    made.save(tmp_path / "s.json")
    loaded = Scores.load(tmp_path / "s.json")
    assert (loaded.mode, loaded.metadata) == (made.mode, made.metadata)
    assert torch.equal(loaded.sigmas, made.sigmas)
    assert loaded.ranking(3) == made.ranking(3)


def test_ten_pairs_are_cross_fitted_and_two_scored_as_published():
    assert score(many(10)).mode == "cross-fitted"
    assert score(many(2), "paper").sites
    with pytest.raises(ValueError, match="at least 10"):
        score(many(9))
    with pytest.raises(ValueError, match="at least 2 pairs, got 1"):
        score(many(1), "paper")


def test_tokens_of_a_pair_are_never_scored_by_a_direction_that_it_helped_to_make():
    """Eleven pairs of seven tokens, all of a pair equal: rows in turn would hold out what they had learned from."""
    pairs = noise(40, seed=3)[:, :11]
    rows = pairs.repeat(1, 7, 1, 1)  # token after token
    captured = Activations({TEXT: rows.float()}, torch.linspace(10, 1, rows.shape[2]), {"tokens": 7})
    assert (captured.pairs, captured.rows) == (11, 77)
    by_pair = cross_fitted(rows.float().double(), captured.folds)
    by_row = cross_fitted(rows.float().double(), fold_numbers(77))
    assert float(by_row[1].mean()) > float(by_pair[1].mean()) + 0.1
    torch.testing.assert_close(score(captured).sites[TEXT].consistency.double(), by_pair[1])
    with pytest.raises(ValueError, match="at least 10 pairs, got 9"):
        score(Activations({TEXT: rows[:, : 9 * 7].float()}, captured.sigmas, {"tokens": 7}))


def test_the_ranking_and_the_choice_are_by_one_mean():
    """A site is ranked by the noise levels where it can be steered, as the rule ``overall`` takes it."""
    made, best = score(many()), SD15_SITES[1]
    active = {site: torch.tensor([site != best, True]) for site in made.sites}
    sites = {site: replace(values, score=values.score * active[site]) for site, values in made.sites.items()}
    sites[SD15_SITES[2]] = replace(sites[SD15_SITES[2]], score=torch.tensor([1.0, 1.0]))
    half = replace(made, sites=sites, active=active)
    assert sites[best].score.mean() < sites[SD15_SITES[2]].score.mean()  # over all levels it is behind
    assert list(half.ranking(1)) == [str(site) for site in select(half, "overall", 1)] == [str(best)]
