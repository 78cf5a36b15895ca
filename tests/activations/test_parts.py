from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.activations.capture import capture, parts_of
from steering.activations.parts import Part, Parts, remove_parts
from steering.concepts.pairs import Pair
from steering.errors import SteeringError
from steering.models.sampling import CaptureSettings, Sampling
from steering.sites import Site

SAMPLING = Sampling(2, 1.0, 5, 64, 2)
PAIRS = [Pair(f"a dog {i}", f"a cat {i}") for i in range(5)]
SITE = Site.parse("mid.attn2")


@given(count=st.integers(1, 30), batch=st.integers(1, 8))
def test_parts_hold_every_pair_once_and_know_their_place(count, batch):
    pairs = [Pair(f"a dog {i}", f"a cat {i}") for i in range(count)]
    sampling = Sampling(2, 1.0, 0, 64, batch)
    parts = Parts.of(pairs, [SITE], sampling, None, {}).all
    assert [pair for part in parts for pair in part.pairs] == pairs
    assert all(pairs.index(part.pairs[0]) == part.first for part in parts)
    assert {len(part.pairs) for part in parts[:-1]} <= {batch}
    assert sum(part.rows for part in parts) == 2 * count * 2  # sides, steps


def test_parts_made_apart_and_in_any_order_are_the_capture(toy_model, tmp_path):
    settings = CaptureSettings(steps=2, guidance=1.0, size=64, batch=2)
    whole = capture(toy_model, PAIRS, settings=settings, concept="dog")
    parts = parts_of(toy_model, PAIRS, settings, "dog", tmp_path)
    assert all(parts.load(part) is None for part in parts.all)
    for part in reversed(parts.all):
        parts.keep(part, part.capture(toy_model))
    rows: list[int] = []
    joined = capture(toy_model, PAIRS, settings=settings, concept="dog", parts=tmp_path, progress=rows.append)
    assert rows == [part.rows for part in parts.all]  # nothing was computed but these
    assert all(torch.equal(joined.tensors[site], tensor) for site, tensor in whole.tensors.items())
    assert dict(joined.metadata) == dict(whole.metadata)
    remove_parts(tmp_path)
    assert not tmp_path.exists()


def test_the_noise_of_a_part_is_that_of_its_place(toy_model):
    same = Pair("a dog", "a cat")
    one, other = (Part((SITE,), (same,), first, SAMPLING).capture(toy_model)[str(SITE)] for first in (0, 3))
    again = Part((SITE,), (same,), 3, SAMPLING).capture(toy_model)[str(SITE)]
    assert not torch.equal(one, other)
    assert torch.equal(other, again)


def test_another_settings_parts_are_not_taken_and_damaged_ones_are_removed(toy_model, tmp_path):
    about = {"weights": "a"}
    parts = Parts.of(PAIRS, [SITE], SAMPLING, tmp_path, about)
    part = parts.all[0]
    parts.keep(part, part.capture(toy_model))
    assert parts.load(part) is not None
    assert Parts.of(PAIRS, [SITE], SAMPLING, tmp_path, {"weights": "b"}).load(part) is None
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(UserWarning, match="damaged"):
        assert parts.load(part) is None
    assert not path.exists()


def test_a_model_that_overflows_is_refused(toy_model, monkeypatch):
    made = toy_model.recorded

    def overflowing(*args, **kwargs):
        return [{site: value * torch.inf for site, value in step.items()} for step in made(*args, **kwargs)]

    monkeypatch.setattr(type(toy_model), "recorded", lambda self, *args, **kwargs: overflowing(*args, **kwargs))
    with pytest.raises(SteeringError, match=r"mid\.attn2 is not finite at step 1 of 2"):
        Part((SITE,), tuple(PAIRS[:1]), 0, SAMPLING).capture(toy_model)


def test_every_pair_has_a_seed(toy_model):
    last = 2**64 - len(PAIRS)
    Parts.of(PAIRS, [SITE], replace(SAMPLING, seed=last), None, {})
    with pytest.raises(SteeringError, match="seed 18446744073709551616 must lie"):
        Parts.of(PAIRS, [SITE], replace(SAMPLING, seed=last + 1), None, {})
