"""Sites and noise levels as text."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.errors import SteeringError
from steering.schedule import NoiseSchedule
from steering.scores.levels import read_levels, write_levels
from steering.scores.navigator import Scores, SiteScores
from steering.sites import Site

A, B, C = (Site.parse(name) for name in ("in1.attn2", "in2.ff", "out3.attn2"))
SIGMAS = torch.tensor([14.61, 8.0, 4.0, 2.0, 0.03])
EVERYWHERE = torch.ones(5, dtype=torch.bool)
ROW = st.lists(st.booleans(), min_size=12, max_size=12)


def scores(sigmas=SIGMAS, **active):
    ones = torch.ones(len(sigmas), dtype=torch.float64)
    on = {site: torch.ones(len(sigmas), dtype=torch.bool) for site in (A, B, C)}
    on |= {site: torch.tensor(active[str(site)]) for site in on if str(site) in active}
    return Scores("paper", sigmas, {site: SiteScores(ones, ones, ones) for site in on}, on)


def told(text, some=None):
    return {
        str(site): "".join("x" if on else "." for on in row)
        for site, row in read_levels(some or scores(), text).items()
    }


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("in2.ff", {"in2.ff": "xxxxx"}),
        ("in2.ff:8-2", {"in2.ff": ".xxx."}),
        (" in2.ff:2-8 ,, out3.attn2", {"in2.ff": ".xxx.", "out3.attn2": "xxxxx"}),
        ("attn2:14.61-8", {"in1.attn2": "xx...", "out3.attn2": "xx..."}),
        ("in2.ff:20-8,in2.ff:0.1-0", {"in2.ff": "xx..x"}),
        ("attn1,resnet:8-2,in2.ff", {"in2.ff": "xxxxx"}),
        ("attn2:9-7,in1.attn2", {"in1.attn2": "xxxxx", "out3.attn2": ".x..."}),
    ],
)
def test_a_text_chooses_sites_and_levels(text, chosen):
    assert told(text) == chosen


def test_a_site_is_never_chosen_where_it_is_inactive():
    assert told("attn2:8-0.03", scores(**{"in1.attn2": [True, False, True, True, True]}))["in1.attn2"] == "..xxx"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("in2.ff:", "noise levels '' of in2.ff must be two numbers, as in2.ff:14.61-2.42"),
        ("in2.ff:8", "noise levels '8' of in2.ff must be two numbers"),
        ("in2.ff:8-4-2", "must be two numbers"),
        ("in2.ff:a-b", "must be two numbers"),
        ("in2.ff:nan-nan", "no noise level lies within nan-nan"),
        (
            "in2.ff:30-20",
            "no noise level lies within 30-20, which in2.ff is to be steered at; they go from 14.61 to 0.03",
        ),
        ("in8.ff:8-2", "'in8.ff' is not in this model"),
        (":8-2", "no site is named"),
        ("in1.attn2,:8-2", "site '' is not a site name"),
        ("", "no site is named"),
    ],
)
def test_what_chooses_nothing_is_refused(text, words):
    with pytest.raises(SteeringError, match=words):
        read_levels(scores(), text)


@given(
    on=st.tuples(ROW, ROW, ROW),
    active=st.tuples(ROW, ROW, ROW),
    steps=st.sampled_from([12, 1000]),
    first=st.integers(0, 988),
)
def test_what_is_written_is_read_as_the_same(on, active, steps, first):
    """Of 12 levels over the whole schedule, and of 12 neighbours among its thousand."""
    sigmas = NoiseSchedule.scaled_linear().normal(steps)[:-1].float()[(first if steps > 12 else 0) :][:12]
    some = scores(sigmas, **{str(site): row for site, row in zip((A, B, C), active, strict=True)})
    wanted = {site: torch.tensor(row) & some.active[site] for site, row in zip((A, B, C), on, strict=True)}
    wanted = {site: row for site, row in wanted.items() if row.any()}
    text = write_levels(some, wanted)
    read = read_levels(some, text) if wanted else {}
    assert {str(site): row.tolist() for site, row in read.items()} == {
        str(s): row.tolist() for s, row in wanted.items()
    }


def test_whole_sites_are_written_by_their_names_alone_and_levels_in_four_digits():
    chosen = {A: EVERYWHERE, C: torch.tensor([False, True, True, False, True])}
    written = "in1.attn2,out3.attn2:8.002-4.001,out3.attn2:0.03001-0.03001"
    assert write_levels(scores(SIGMAS * 1.000_2), chosen) == written
