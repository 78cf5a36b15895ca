from dataclasses import replace
from math import inf

import pytest
import torch

from steering.errors import SteeringError
from steering.files import write_tensors
from steering.sites import SD15_SITES, Site
from steering.vectors.recommendation import Recommendation
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector, nearest

SITE = Site.parse("in4.attn2")


def part(steps=3, rank=1, width=8, actives=3):
    rows = torch.linalg.qr(torch.randn(steps, width, rank)).Q.mT.contiguous()
    return SiteVector(
        rows, torch.randn(steps, width), torch.randn(steps, width), torch.tensor([True, False, True][:actives])
    )


def some(**changes):
    sigmas = torch.tensor([10.0, 1.0, 0.1])
    return SteeringVector(
        {SITE: replace(part(), **changes)}, sigmas, sigmas, {"concept": "dog", "recommended": {"preset": "projection"}}
    )


@pytest.mark.parametrize(
    "changes", [{}, {"threshold": torch.zeros(3, 1)}, {"readout": torch.randn(3, 1, 8)}, {"certainty": torch.ones(3)}]
)
def test_files_round_trip_exactly(tmp_path, changes):
    made = some(**changes)
    made.save(tmp_path / "v.safetensors")
    loaded = SteeringVector.load(tmp_path / "v.safetensors")
    for name in ("direction", "negative_mean", "difference", "active", *changes):
        assert torch.equal(getattr(loaded.sites[SITE], name), getattr(made.sites[SITE], name))
    assert dict(loaded.metadata) == dict(made.metadata)


@pytest.mark.parametrize(("sigma", "index"), [(1e9, 0), (10, 0), (3.2, 0), (3.1, 1), (0.3, 2), (0, 2)])
def test_the_nearest_knot_is_nearest_in_log_sigma(sigma, index):
    assert nearest(torch.tensor([10.0, 1.0, 0.1]), sigma) == index


def test_activity_follows_sigma():
    vector = some()
    assert [vector.is_active(SITE, s) for s in (9, 1.1, 0.05)] == [True, False, True]


@pytest.mark.parametrize(
    "changes",
    [
        {"negative_mean": torch.zeros(2, 8)},
        {"difference": torch.zeros(3, 9)},
        {"active": torch.ones(4, dtype=torch.bool)},
        {"direction": torch.zeros(3, 8)},
        {"threshold": torch.zeros(3, 2)},
        {"direction": 2 * part().direction},
    ],
)
def test_wrong_shapes_and_unnormalised_rows_are_refused(changes):
    with pytest.raises(ValueError, match=r"shape|orthonormal"):
        some(**changes)


def test_a_vector_without_sites_and_a_file_without_a_tensor_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one site"):
        SteeringVector({}, torch.ones(1), torch.ones(1))
    tensors = {"sigmas": torch.ones(1), "active_sigmas": torch.ones(1), "in4.attn2/direction": torch.ones(1, 1, 1)}
    write_tensors(tmp_path / "v.safetensors", tensors, "vector", 1, {})
    with pytest.raises(ValueError, match="negative_mean"):
        SteeringVector.load(tmp_path / "v.safetensors")


def test_a_digest_is_of_what_decides_the_pictures_and_nothing_else():
    """Pictures are drawn again exactly where the digest is another."""
    full = {"threshold": torch.zeros(3, 1), "readout": torch.ones(3, 1, 8), "certainty": torch.ones(3)}
    base = some(**full)
    entry = base.sites[SITE]

    def other(name):
        value = getattr(entry, name)
        if name == "direction":
            changed = -value
        elif name == "active":
            changed = ~value
        else:
            changed = value + 1
        return replace(base, sites={SITE: replace(entry, **{name: changed})})

    always = ("direction", "active", "negative_mean", "readout")
    for name in (*always, "threshold", "difference", "certainty"):
        assert (other(name).digest() != base.digest()) == (name in (*always, "threshold")), name
        assert (other(name).digest(thresholds=False) != base.digest(thresholds=False)) == (name in always), name
        assert other(name).digest(lengths=True) != base.digest(lengths=True), name
    for name in ("sigmas", "active_sigmas"):
        assert replace(base, **{name: getattr(base, name) * 2}).digest() != base.digest(), name
    assert replace(base, metadata={}).digest() == base.digest()
    moved = SteeringVector({Site.parse("in4.attn1"): entry}, base.sigmas, base.active_sigmas)
    assert moved.digest() != base.digest()
    assert some(**{**full, "readout": None}).digest() != base.digest()


def test_a_vector_is_shown_in_one_line_and_says_what_it_is():
    vector = some()
    assert repr(vector) == "SteeringVector(dog, 1 sites: in4.attn2)"
    assert len(repr(vector.sites[SITE])) < 120
    part = vector.sites[SITE]
    for count, shown in ((3, "in1.attn2, in2.attn2, in4.attn2"), (4, "in1.attn2, in2.attn2, in4.attn2, ...")):
        sites = {site: part for site in [s for s in SD15_SITES if s.kind == "attn2"][:count]}
        unnamed = SteeringVector(sites, vector.sigmas, vector.active_sigmas)
        assert repr(unnamed) == f"SteeringVector(unnamed, {count} sites: {shown})"
    assert (vector.concept, vector.family, vector.recommended) == ("dog", "", Recommendation("projection"))
    assert replace(vector, metadata={"model": {"family": "pocket"}}).family == "pocket"


def test_a_vector_makes_its_own_entry():
    entry = some().entry(strength=0.5, mode="add")
    assert (entry.strength, entry.mode, entry.settings.gate) == (0.5, "add", "all")
    with pytest.raises(TypeError, match="strenght"):
        some().entry(strenght=1.0)


def bent(**parts):
    """A good vector with some of its site's tensors replaced."""
    vector = some()
    return replace(vector, sites={SITE: replace(vector.sites[SITE], **parts)})


def test_whatever_is_no_vector_is_refused_by_the_constructor_itself():
    good = some()
    part = good.sites[SITE]
    levels, _, width = part.direction.shape
    nan = part.direction.clone()
    nan[0, 0, 0] = torch.nan
    huge = torch.zeros(levels, 2, width)
    huge[:, 0, :2], huge[:, 1, :2] = 1e30, torch.tensor([1e30, -1e30])
    falling = good.sigmas

    def advised(**advice):
        return replace(good, metadata={"recommended": advice})

    cases = [
        (lambda: bent(direction=nan), "not finite"),
        (lambda: bent(direction=huge, threshold=None, readout=None), "beyond"),
        (lambda: bent(direction=part.direction[:, :0]), "1 to C rows"),
        (lambda: bent(direction=part.direction[:, :, :0]), "1 to C rows"),
        (lambda: bent(direction=part.direction[0]), r"\[S, K, C\]"),
        (lambda: bent(direction=2 * part.direction), "orthonormal"),
        (lambda: bent(direction=part.direction.to(torch.complex64)), "type torch.complex64"),
        (lambda: bent(negative_mean=part.negative_mean.bfloat16()), "type torch.bfloat16"),
        (lambda: bent(negative_mean=part.negative_mean + 1e38), "beyond"),
        (lambda: bent(difference=part.difference * torch.inf), "not finite"),
        (lambda: bent(active=part.active.float()), "truth values"),
        (lambda: bent(certainty=torch.ones(levels, dtype=torch.int64)), "type torch.int64"),
        (lambda: replace(good, sigmas=falling.flip(0)), "fall from each to the next"),
        (lambda: replace(good, sigmas=torch.full_like(falling, 2.0)), "fall from each to the next"),
        (lambda: replace(good, active_sigmas=-good.active_sigmas), "above 0"),
        (lambda: replace(good, metadata={"model": "sd15"}), "model 'sd15' must be an object"),
        (lambda: replace(good, metadata={"recommended": ["precise"]}), "must be an object"),
        (lambda: replace(good, metadata={"concept": "x" * 1001}), "a text of at most 1000 letters"),
        (lambda: replace(good, metadata={"concept": 7}), "a text of at most 1000 letters"),
        (lambda: replace(good, metadata={"model": {"family": ["sd15"]}}), "family .* must be a text"),
        (lambda: advised(preset=7), "must be a name"),
        (lambda: advised(strength="x"), "must be a finite number"),
        (lambda: advised(strength=float("nan")), "must be a finite number"),
        (lambda: advised(strength=1e9), "from -100 to 100"),
        (lambda: advised(strength=10**400), "from -100 to 100"),
        (lambda: replace(good, metadata={"concept": "\ud800"}), "no text"),
        (lambda: advised(window=[1.0]), "a first and a last"),
        (lambda: advised(window=[float("nan"), 0.0]), "finite"),
        (lambda: advised(window=[0.1, 5.0]), "holds none of the vector's noise levels"),
        (lambda: advised(window=[1e5, 1e4]), "holds none of the vector's noise levels"),
    ]
    for make, words in cases:
        with pytest.raises(SteeringError, match=words):
            make()
    good = advised(preset="precise", strength=-3, window=[None, 0.0])
    assert good.recommended == Recommendation("precise", -3.0, (inf, 0.0))


def test_a_vector_that_never_acts_is_not_applied():
    part = some().sites[SITE]
    with pytest.raises(SteeringError, match="would never act"):
        bent(active=torch.zeros_like(part.active)).entry()


def test_sites_can_be_left_out_by_kind_and_name():
    sites = {Site.parse(name): part() for name in ("in4.attn1", "in4.attn2", "in5.attn1")}
    vector = replace(some(), sites=sites)
    assert list(map(str, vector.without("attn1").sites)) == ["in4.attn2"]
    assert list(map(str, vector.without("in4.attn2, in5.attn1").sites)) == ["in4.attn1"]
    assert vector.without("attn1").metadata == vector.metadata
    for names, message in (("ff", "cannot be left out"), ("in7.ff", "cannot be left out"), ("attn1,attn2", "nothing")):
        with pytest.raises(ValueError, match=message):
            vector.without(names)
