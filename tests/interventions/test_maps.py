from dataclasses import replace

import pytest
import torch

from steering.interventions.engine import Steering
from steering.interventions.entry import Entry
from steering.interventions.maps import as_mask, fitted, levels_of, maps_of, mean_of, some_levels, strongest, summary
from steering.interventions.observation import observe, settle
from steering.interventions.presets import EditSettings
from steering.models.call import Call
from steering.sites import Site
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

SIGMAS = torch.tensor([5.0, 1.0])


SITE, WIDTH, GAP = Site.parse("in4.attn2"), 8, 2.0


def entry(strength=1.0, gate="all"):
    row = torch.zeros(2, 1, WIDTH)
    row[..., 0] = 1
    mean = torch.full((2, WIDTH), 0.5)
    part = SiteVector(row, mean, GAP * row[:, 0], torch.tensor([True, True]))
    return Entry(SteeringVector({SITE: part}, SIGMAS, SIGMAS), strength, EditSettings("negative", gate, False, "cond"))


def seen_in(some, output, latent=(4, 6)):
    count = len(output)
    found = []
    for sigma in SIGMAS.tolist():
        call = Call((sigma,) * count, (True,) * count, latent)
        after = Steering([some]).edit(SITE, output, call)
        found += observe([some], SITE, output, output if after is None else after, call)
    return settle(found)


def test_a_map_is_in_units_of_the_concept_and_lies_where_the_tokens_lie():
    output = torch.zeros(2, 24, WIDTH)
    output[..., 0] = 0.5  # the negative mean's coordinate
    output[1, 7, 0] = 0.5 + GAP  # token 7 of 6 a row: second row, second column
    some = entry()
    seen = seen_in(some, output)
    maps = maps_of([some], seen, "held", picture=1)
    assert list(maps) == [SITE]
    assert list(maps[SITE]) == SIGMAS.tolist()
    expected = torch.zeros(4, 6)
    expected[1, 1] = 1
    for part in maps[SITE].values():
        torch.testing.assert_close(part, expected, atol=1e-3, rtol=0)  # tokens are kept in float16
    assert mean_of(maps[SITE]) == pytest.approx(1 / 24, abs=1e-3)
    assert maps_of([some], seen, "held", picture=0)[SITE][5.0].abs().max() < 1e-3
    for part in maps_of([some], seen, "moved", picture=1)[SITE].values():
        torch.testing.assert_close(part, -expected, atol=1e-3, rtol=0)  # strength 1: back at the negative mean


def test_a_site_without_the_concept_has_no_unit_and_no_map():
    some = entry()
    part = some.vector.sites[SITE]
    bare = replace(part, difference=torch.zeros_like(part.difference))
    nothing = replace(some, vector=replace(some.vector, sites={SITE: bare}))
    with pytest.raises(ValueError, match="nothing was seen"):
        maps_of([nothing], seen_in(nothing, torch.randn(1, 24, WIDTH)), "held")


def test_a_site_of_a_coarser_level_has_a_coarser_map():
    some = entry()
    seen = seen_in(some, torch.randn(1, 6, WIDTH), latent=(4, 6))
    assert maps_of([some], seen, "held")[SITE][5.0].shape == (2, 3)


def test_at_strength_zero_something_is_held_and_nothing_moved():
    some = entry(0.0)
    seen = seen_in(some, torch.randn(1, 24, WIDTH))
    assert maps_of([some], seen, "held")[SITE][5.0].abs().max() > 0.1
    assert maps_of([some], seen, "moved")[SITE][5.0].abs().max() == 0


def test_what_is_not_there_is_refused_with_a_sentence():
    some = entry()
    seen = seen_in(some, torch.randn(1, 24, WIDTH))
    for arguments, message in (
        (("heat",), "held, moved"),
        (("held", 1), "count from 0"),
        (("held", 0, 5), "nothing was seen of picture 5"),
    ):
        with pytest.raises(ValueError, match=message):
            maps_of([some], seen, *arguments)


def test_summaries_count_every_site_alike_and_masks_reach_from_0_to_1():
    other = Site.parse("out5.ff")
    maps = {SITE: {5.0: torch.full((2, 2), 4.0)}, other: {5.0: torch.zeros(4, 4), 1.0: torch.zeros(4, 4)}}
    torch.testing.assert_close(summary(maps, (8, 8)), torch.full((8, 8), 2.0), atol=1e-6, rtol=0)
    mask = as_mask(torch.linspace(-1, 3, 400).reshape(20, 20))
    assert (float(mask.min()), float(mask.max())) == (0.0, 1.0)
    assert as_mask(torch.full((2, 2), -1.0)).abs().max() == 0
    assert fitted(torch.ones(2, 3), (9, 7)).shape == (9, 7)


def test_the_sites_that_show_most_stay_in_order_of_execution():
    first, second, third = (Site.parse(name) for name in ("in4.attn2", "mid.ff", "out5.ff"))
    once, always = torch.tensor([[9.0]]), torch.tensor([[-5.0]])
    maps = {
        first: {5.0: always, 1.0: always},
        second: {5.0: once},  # 9 in one of two steps is 4.5 on the mean
        third: {5.0: -always, 1.0: -2 * always},
    }
    assert list(strongest(maps, 2)) == [first, third]
    assert list(strongest(maps, 5)) == [first, second, third]
    assert levels_of(maps) == some_levels(maps, 6) == [5.0, 1.0]
    assert some_levels(maps, 1) == [5.0]
