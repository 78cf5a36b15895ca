from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from steering.activations.capture import capture
from steering.activations.parts import capture_rows
from steering.activations.store import Activations
from steering.concepts.pairs import Pair
from steering.interventions.steer import steer
from steering.models.sampling import CaptureSettings, weights_digest
from steering.sites import SD15_SITES, Site
from steering.vectors.build import build

PAIRS = [Pair(f"a dog {where}", f"a cat {where}") for where in ("on the beach", "in a room", "at night")]
SETTINGS = CaptureSettings(steps=2, guidance=7.5, batch=2)


@pytest.fixture(scope="module")
def captured(toy_model):
    return capture(toy_model, PAIRS, settings=SETTINGS)


def test_a_capture_holds_every_site_pair_and_step(captured, toy_model):
    assert tuple(captured.tensors) == SD15_SITES
    assert captured.tensors[Site.parse("mid.attn2")].shape == (2, 3, 2, 128)
    torch.testing.assert_close(captured.sigmas, toy_model.schedule.normal(2)[:-1])
    assert captured.metadata["model"]["family"] == "pocket"


def test_batching_changes_nothing_beyond_float_noise(captured, toy_model):
    other = capture(toy_model, PAIRS, settings=CaptureSettings(steps=2, guidance=7.5, batch=3))
    for site, tensor in captured.tensors.items():
        # Sums over a few hundred float32 numbers in another order.
        torch.testing.assert_close(other.tensors[site], tensor, atol=2e-4, rtol=2e-4)


def test_both_sides_of_a_pair_start_from_the_same_noise(toy_model):
    same = capture(toy_model, [Pair("a dog", "a dog")], settings=CaptureSettings(steps=2, batch=1))
    for tensor in same.tensors.values():
        torch.testing.assert_close(tensor[0], tensor[1], atol=1e-5, rtol=1e-5)  # rows of one batch, same numbers
    assert not any(same.active(site).any() for site in same.tensors)


def test_sites_that_see_no_text_are_inactive_at_the_first_step(captured):
    assert captured.active(Site.parse("in1.resnet")).tolist() == [False, True]
    assert captured.active(Site.parse("in1.attn2")).tolist() == [True, True]


def test_guidance_one_captures_the_same_first_step_at_half_the_cost(captured, toy_model):
    cheap = capture(toy_model, PAIRS, settings=CaptureSettings(steps=2, guidance=1.0, batch=2))
    for site, tensor in captured.tensors.items():
        torch.testing.assert_close(cheap.tensors[site][:, :, 0], tensor[:, :, 0], atol=2e-4, rtol=2e-4)
    assert capture_rows(3, CaptureSettings(guidance=1.0)) * 2 == capture_rows(3, CaptureSettings())


def test_an_interrupted_capture_goes_on_where_it_stopped(captured, toy_model, tmp_path, hooks_left):
    done = []

    def stop(rows):
        done.append(rows)
        if len(done) == 3:  # in the middle of the second batch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(toy_model, PAIRS, settings=SETTINGS, parts=tmp_path, progress=stop)
    assert hooks_left() == 0
    assert len(list(tmp_path.iterdir())) == 1
    calls = []
    resumed = capture(toy_model, PAIRS, settings=SETTINGS, parts=tmp_path, progress=calls.append)
    assert calls == [16, 4, 4]  # the first batch of 2 pairs x 2 sides x 2 halves x 2 steps came from disk
    assert all(torch.equal(resumed.tensors[s], t) for s, t in captured.tensors.items())


def test_parts_of_another_capture_do_not_count(toy_model, tmp_path):
    capture(toy_model, PAIRS[:1], sites="attn2", settings=CaptureSettings(steps=1), parts=tmp_path)
    other = CaptureSettings(steps=1, seed=5)
    fresh = capture(toy_model, PAIRS[:1], sites="attn2", settings=other)
    resumed = capture(toy_model, PAIRS[:1], sites="attn2", settings=other, parts=tmp_path)
    assert all(torch.equal(resumed.tensors[s], t) for s, t in fresh.tensors.items())


def test_parts_of_another_precision_do_not_count(toy_model, tmp_path):
    unet = deepcopy(toy_model.unet).to(torch.bfloat16)
    coarse = replace(toy_model, unet=unet, hashes=(toy_model.weights_hash(), weights_digest(unet.state_dict())))
    settings = CaptureSettings(steps=1)
    capture(toy_model, PAIRS[:1], sites="attn2", settings=settings, parts=tmp_path)
    fresh = capture(coarse, PAIRS[:1], sites="attn2", settings=settings)
    resumed = capture(coarse, PAIRS[:1], sites="attn2", settings=settings, parts=tmp_path)
    assert fresh.metadata["precision"] == "bfloat16"
    assert all(torch.equal(resumed.tensors[s], t) for s, t in fresh.tensors.items())


def test_a_vector_from_a_capture_steers_and_zero_does_not(captured, toy_model, hooks_left, tmp_path):
    vector = build(captured, top_k=3)
    vector.save(tmp_path / "v.safetensors")
    plain = toy_model.generate(["a dog"], steps=2)
    with steer(toy_model, vector, strength=2.5, preset="projection"):
        assert not np.array_equal(toy_model.generate(["a dog"], steps=2), plain)
    with steer(toy_model, vector, strength=0.0, preset="projection"):
        assert np.array_equal(toy_model.generate(["a dog"], steps=2), plain)
    with steer(toy_model, vector, strength=2.5, preset="projection"):  # another number of steps finds its nearest knots
        toy_model.generate(["a dog"], steps=3)


def test_activations_of_a_capture_survive_the_disk(captured, tmp_path):
    captured.save(tmp_path / "a.safetensors")
    assert dict(Activations.load(tmp_path / "a.safetensors").metadata) == dict(captured.metadata)


def test_a_capture_without_pairs_is_refused(toy_model):
    with pytest.raises(ValueError, match="at least one pair"):
        capture(toy_model, [])


def test_a_compiled_network_is_captured_as_any_other(toy_model):
    settings = CaptureSettings(steps=2, guidance=7.5, batch=3)
    wanted = capture(toy_model, PAIRS, sites="attn2", settings=settings)
    torch._dynamo.reset()
    toy_model.unet.compile(backend="eager", fullgraph=True)  # the same kernels, so the same bits
    try:
        toy_model.generate("a dog", steps=1)  # compiled before anything is recorded
        compiled = capture(toy_model, PAIRS, sites="attn2", settings=settings)
    finally:
        toy_model.unet._compiled_call_impl = None
        torch._dynamo.reset()
    for site, tensor in wanted.tensors.items():
        assert torch.equal(compiled.tensors[site], tensor)
