from dataclasses import replace

import pytest
import torch

from steering.interventions.engine import Steering
from steering.interventions.entry import ALWAYS, Entry, make_entry, usual_preset
from steering.interventions.presets import EditSettings, get_preset
from steering.models.call import Call
from steering.sites import Site
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

from .conftest import BOTH, SIGMAS, edited, vector_for


def uncertain(vector, site, values):
    part = replace(vector.sites[Site.parse(site)], certainty=torch.tensor(values))
    return replace(vector, sites={**vector.sites, Site.parse(site): part})


def test_blanks_are_filled_from_the_file_then_from_the_preset(toy_model):
    plain = vector_for(toy_model, ["in4.attn2"])
    advised = vector_for(toy_model, ["in4.attn2"], metadata={"recommended": {"preset": "projection", "strength": 1.7}})
    assert (make_entry(plain).strength, make_entry(plain).settings.reference) == (1.0, "negative")
    assert (make_entry(advised).strength, make_entry(advised).settings.reference) == (1.7, "zero")
    assert make_entry(advised, preset="casteer").strength == 2.0
    assert make_entry(advised, strength=0.3).strength == 0.3
    other = EditSettings("negative", "all")  # what the file recommends is for the preset's own
    assert (make_entry(advised, settings=other).strength, make_entry(advised, settings=other).window) == (2.5, ALWAYS)


def test_what_is_asked_of_prompts_is_the_default_of_vectors_that_can_ask():
    direction, width = torch.eye(4)[None, :1], 4
    part = SiteVector(direction, torch.zeros(1, width), direction[:, 0], torch.tensor([True]))
    asking = replace(part, condition=torch.ones(width + 1))
    for one, name in ((part, "precise"), (asking, "conditional")):
        vector = SteeringVector({Site.parse("text"): one}, torch.ones(1), torch.ones(1), {})
        assert usual_preset(vector) == name
        assert make_entry(vector).settings == get_preset(name).settings
    asked = make_entry(vector, preset="affine")
    assert asked.settings == get_preset("affine").settings


def test_a_picture_with_the_concept_becomes_one_with_the_other(toy_model):
    """What lies at a's positive mean lies, at strength 1, as far from a's negative mean as b's does from b's."""
    a, b, site = (
        vector_for(toy_model, ["in4.attn2"], 1),
        vector_for(toy_model, ["in4.attn2"], 2),
        Site.parse("in4.attn2"),
    )
    knot = a.knot(5.0)
    negative, step = a.sites[site].negative_mean[knot], a.sites[site].displacement[knot]
    entry = Entry(a, 1.0, EditSettings("negative", "all", False, "both"), mode="replace", target=b)
    out = edited([entry], (negative + step)[None, None])
    expected = negative + b.sites[site].displacement[knot]
    torch.testing.assert_close(out[0, 0], expected, atol=1e-5, rtol=0)  # float32 over 64 channels
    half = edited([replace(entry, strength=0.5)], (negative + step)[None, None])
    torch.testing.assert_close(half[0, 0], (negative + step + expected) / 2, atol=1e-5, rtol=0)


def test_strength_one_of_add_is_one_mean_difference(toy_model):
    vector, site, output = vector_for(toy_model, ["in4.attn2"]), Site.parse("in4.attn2"), torch.randn(2, 16, 64)
    step = vector.sites[site].displacement[vector.knot(5.0)]
    for strength in (-1.0, 0.5, 2.0):
        out = edited([Entry(vector, strength, BOTH, mode="add")], output)
        torch.testing.assert_close(out, output + strength * step, atol=1e-5, rtol=0)
    twice = edited([Entry(vector, 0.5, BOTH, mode="add"), Entry(vector, 1.5, BOTH, mode="add")], output)
    torch.testing.assert_close(twice, output + 2 * step, atol=1e-5, rtol=0)


def test_where_the_second_vector_lacks_a_site_the_concept_is_only_taken_out(toy_model):
    a, b = vector_for(toy_model, ["in4.attn2", "out5.ff"], 1), vector_for(toy_model, ["out5.ff"], 2)
    output = torch.randn(1, 16, 64)
    both = edited([Entry(a, 1.0, BOTH, mode="replace", target=b)], output)
    assert torch.equal(both, edited([Entry(a, 1.0, BOTH)], output))
    wide = torch.randn(1, 16, 128)
    swapped = edited([Entry(a, 1.0, BOTH, mode="replace", target=b)], wide, name="out5.ff")
    assert not torch.equal(swapped, edited([Entry(a, 1.0, BOTH)], wide, name="out5.ff"))


def test_strength_none_is_one_for_add_and_replace(toy_model):
    advised = vector_for(toy_model, ["in4.attn2"], metadata={"recommended": {"preset": "projection", "strength": 1.7}})
    assert make_entry(advised, mode="add").strength == 1.0
    assert make_entry(advised, mode="replace", target=advised).strength == 1.0
    assert make_entry(advised).strength == 1.7


def test_a_gap_within_its_standard_error_is_no_measure_to_add_or_replace_by(toy_model):
    names = ["in4.attn2", "out5.ff"]
    plain, other = vector_for(toy_model, names), vector_for(toy_model, names, seed=1)
    one = uncertain(plain, "in4.attn2", [0.9, 5.0, 5.0])
    site, tokens = Site.parse("in4.attn2"), torch.randn(1, 4, plain.sites[Site.parse("in4.attn2")].width)
    first, second = SIGMAS[0].item(), SIGMAS[1].item()
    for mode, target in (("add", None), ("replace", other)):
        entry = make_entry(one, settings=BOTH, mode=mode, target=target)
        assert not entry.acts(site, first)
        assert entry.acts(site, second)
        assert entry.acts(Site.parse("out5.ff"), first)
    assert make_entry(one, settings=BOTH).acts(site, first)  # suppression needs no gap
    # What takes the place is not known there: the concept goes and nothing comes.
    target = uncertain(other, "in4.attn2", [0.9, 5.0, 5.0])
    replaced = Steering([make_entry(plain, settings=BOTH, mode="replace", target=target)])
    suppressed = Steering([make_entry(plain, strength=1.0, settings=BOTH)])
    calls = {sigma: Call((sigma,), (True,)) for sigma in (first, second)}
    same, apart = (
        [made.edit(site, tokens, calls[sigma]) for made in (replaced, suppressed)] for sigma in (first, second)
    )
    assert torch.equal(*same)
    assert not torch.allclose(*apart)
    nowhere = vector_for(toy_model, ["in4.attn2"], metadata={"concept": "dog"})
    nowhere = uncertain(nowhere, "in4.attn2", [0.9, -1.0, 1.0])  # one standard error is still within one
    for how in ({"vector": nowhere, "mode": "add"}, {"vector": plain, "mode": "replace", "target": nowhere}):
        with pytest.raises(ValueError, match=r"prompts with and without dog.*within its standard error"):
            make_entry(**how)
