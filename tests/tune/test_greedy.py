from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.concepts.pairs import Pair
from steering.families import family_named
from steering.interventions.entry import make_entry
from steering.sites import Site, module_width
from steering.tune import greedy
from steering.tune.greedy import Rating, at_sites, forward_selection, noised_pairs, rows_at_most
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

NAMES = ("in1.attn2", "in4.attn2", "mid.attn1", "out5.ff", "out8.attn2", "out11.ff")
SITES = [Site.parse(name) for name in NAMES]
PAIRS = [Pair("a dog on the beach", "a cat on the beach"), Pair("a dog in a room", "a fish in a room")]


def vector_for(widths):
    sites = {
        site: SiteVector(torch.eye(1, width)[None], torch.zeros(1, width), torch.eye(1, width), torch.ones(1) > 0)
        for site, width in widths.items()
    }
    return SteeringVector(sites, torch.ones(1), torch.ones(1))


PLAIN = vector_for(dict.fromkeys(SITES, 4))


def covering(areas, costs, weights):
    """A rate whose gain is the weight of what sites cover together: gains only shrink as the set grows."""
    asked = []

    def rate(entry):
        chosen = [SITES.index(site) for site in entry.vector.sites]
        asked.append(chosen)
        covered = sorted(set().union(*(areas[i] for i in chosen)))
        return Rating(1 - sum(weights[i] for i in covered), sum(costs[i] for i in chosen))

    return rate, asked


def rating_every_site_every_time(rate, top_k):
    """What greedy selection reaches without sparing any rating."""
    chosen, reached = [], [1.0]
    while len(chosen) < min(top_k, len(SITES)):
        rated = {s: rate(make_entry(at_sites(PLAIN, [*chosen, s]))).objective for s in SITES if s not in chosen}
        best = min(rated, key=rated.get)
        if rated[best] >= reached[-1]:
            break
        chosen.append(best)
        reached.append(rated[best])
    return reached[1:]


@given(
    areas=st.lists(st.sets(st.integers(0, 60), max_size=25), min_size=6, max_size=6),
    costs=st.lists(st.sampled_from([0.0, 0.01, 0.07]), min_size=6, max_size=6),
    top_k=st.integers(1, 8),
    seed=st.integers(0, 1000),
)
def test_lazy_rating_gives_what_rating_every_site_every_time_gives(areas, costs, top_k, seed):
    weights = (torch.rand(61, generator=torch.Generator().manual_seed(seed)).double() / 61).tolist()
    rate, _ = covering(areas, costs, weights)
    expected = rating_every_site_every_time(rate, top_k)
    if not expected:
        with pytest.raises(ValueError, match="no site lowers the objective"):
            forward_selection(rate, PLAIN.entry(), top_k)
        return
    found = forward_selection(rate, PLAIN.entry(), top_k)
    assert [one.rating.objective for one in found] == pytest.approx(expected)


def test_sites_that_promise_little_are_not_rated_again():
    rate, asked = covering([{0, 1, 2, 3}, {4, 5, 6}, {7, 8}, {9}, set(), set()], [0.0] * 6, [0.01] * 10)
    found = forward_selection(rate, PLAIN.entry(), 4)
    assert [SITES.index(one.site) for one in found] == [0, 1, 2, 3]
    assert len(asked) == 6 + 3  # each once, then only the next in line


def test_on_a_model_no_steering_is_one_and_good_sites_are_below(toy_model, hooks_left):
    made = noised_pairs(toy_model, PAIRS, count=2, levels=2, steps=2)
    widths = {site: module_width(toy_model.sites()[site], site.kind) for site in SITES}
    vector = vector_for(widths)
    nothing = made.rate(vector.entry(strength=0.0))
    assert nothing.left == pytest.approx(1, abs=1e-6)  # the same sums in another order
    assert nothing.damage == 0
    steered = made.rate(vector.entry(strength=2.5, preset="projection"))
    assert steered.damage > 0
    assert steered.left != pytest.approx(1, abs=1e-3)


def test_ratings_do_not_depend_on_how_many_rows_run_together(toy_model, monkeypatch):
    widths = {site: module_width(toy_model.sites()[site], site.kind) for site in SITES}
    entry = make_entry(vector_for(widths), strength=2.5, preset="projection")
    together = noised_pairs(toy_model, PAIRS, count=2, levels=1, steps=2).rate(entry)
    one = replace(family_named(toy_model.family), batch=1)
    monkeypatch.setattr(greedy, "family_named", lambda family: one)
    alone = noised_pairs(toy_model, PAIRS, count=2, levels=1, steps=2).rate(entry)
    assert alone.left == pytest.approx(together.left, rel=1e-3)  # float32 through three UNet calls
    assert alone.damage == pytest.approx(together.damage, rel=1e-3)


@pytest.mark.parametrize(("pairs", "levels"), [([], 2), (PAIRS, 0)])
def test_nothing_to_rate_on_is_refused(toy_model, pairs, levels):
    with pytest.raises(ValueError, match="at least one pair and noise level"):
        noised_pairs(toy_model, pairs, levels=levels, steps=1)


def test_pairs_that_are_alike_are_refused(toy_model):
    with pytest.raises(ValueError, match="use pairs that differ"):
        noised_pairs(toy_model, [Pair("a dog", "a dog")], levels=1, steps=1)


def test_no_sites_at_all_and_the_cost_of_more():
    with pytest.raises(ValueError, match="top_k 0"):
        forward_selection(lambda entry: Rating(0, 0), PLAIN.entry(), 0)
    assert rows_at_most(70, 8) > rows_at_most(70, 1) > 0
