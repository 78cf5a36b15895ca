from dataclasses import replace

import pytest
import torch

from steering.files import write_tensors
from steering.sites import SD15_SITES, Site
from steering.vectors.vector import SiteVector, SteeringVector, nearest

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
    assert (vector.concept, vector.family, vector.recommended) == ("dog", "", {"preset": "projection"})
    assert replace(vector, metadata={"model": {"family": "pocket"}}).family == "pocket"


def test_a_vector_makes_its_own_entry():
    entry = some().entry(strength=0.5, mode="add")
    assert (entry.strength, entry.mode, entry.settings.gate) == (0.5, "add", "all")
    with pytest.raises(TypeError, match="strenght"):
        some().entry(strenght=1.0)
