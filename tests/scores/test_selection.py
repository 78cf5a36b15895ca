import pytest
import torch

from steering.errors import SteeringError
from steering.scores.navigator import Scores, SiteScores
from steering.scores.selection import at_random, overall, per_step, restricted, select
from steering.sites import Site

A, B, C = (Site.parse(name) for name in ("in1.attn2", "in2.ff", "out3.attn2"))


def scores(table, active=None):
    rows = {site: torch.tensor(row, dtype=torch.float64) for site, row in zip((A, B, C), table, strict=True)}
    on = active or {site: torch.ones(len(row), dtype=torch.bool) for site, row in rows.items()}
    return Scores("paper", torch.tensor([8.0, 2.0]), {s: SiteScores(r, r, r * 0) for s, r in rows.items()}, on)


TABLE = [[3.0, 0.0], [1.0, 2.0], [2.0, 2.5]]


def test_per_step_takes_the_best_of_every_noise_level():
    chosen = per_step(scores(TABLE), 1)
    assert {site: row.tolist() for site, row in chosen.items()} == {A: [True, False], C: [False, True]}


def test_overall_takes_the_best_mean_at_every_noise_level():
    assert list(overall(scores(TABLE), 1)) == [C]
    assert {site: row.all() for site, row in overall(scores(TABLE), 2).items()} == {A: True, C: True}


def test_a_site_is_never_chosen_where_it_is_inactive():
    off = {A: torch.tensor([False, True]), B: torch.tensor([True, True]), C: torch.tensor([True, True])}
    assert per_step(scores(TABLE, off), 1)[C].tolist() == [True, True]
    assert overall(scores(TABLE, off), 3)[A].tolist() == [False, True]
    assert at_random(scores(TABLE, off), 3)[A].tolist() == [False, True]


def test_rules_among_some_sites_and_lists_of_them():
    assert set(select(scores(TABLE), "per-step:ff", 1)) == {B}
    assert set(select(scores(TABLE), "overall:attn2", 5)) == {A, C}
    assert set(select(scores(TABLE), "attn2", 0)) == {A, C}
    assert set(restricted(scores(TABLE), "ff").sites) == {B}


def test_rules_and_lists_at_some_noise_levels():
    assert {site: row.tolist() for site, row in select(scores(TABLE), "attn2:9-7", 0).items()} == {
        A: [True, False],
        C: [True, False],
    }
    assert {site: row.tolist() for site, row in select(scores(TABLE), "overall:attn2:3-1,ff", 2).items()} == {
        B: [True, True],
        C: [False, True],
    }


def test_random_sites_depend_on_their_seed_alone():
    drawn = [tuple(select(scores(TABLE), f"random:{seed}", 1)) for seed in range(20)]
    assert drawn == [tuple(select(scores(TABLE), f"random:{seed}", 1)) for seed in range(20)]
    assert set(drawn) == {(A,), (B,), (C,)}
    assert tuple(select(scores(TABLE), "random", 2)) == tuple(select(scores(TABLE), "random:0", 2))


@pytest.mark.parametrize(
    ("how", "top_k"), [("per-step", 0), ("overall", -1), ("random:x", 1), ("best", 1), ("in9.ff", 1)]
)
def test_what_names_no_sites_is_refused(how, top_k):
    with pytest.raises(SteeringError):
        select(scores(TABLE), how, top_k)


def test_pairs_that_no_site_reacts_to_are_refused():
    off = dict.fromkeys((A, B, C), torch.tensor([False, False]))
    for how in ("per-step", "overall", "random", "attn2"):
        with pytest.raises(SteeringError, match="no site reacts"):
            select(scores(TABLE, off), how, 2)
