from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from steering.activations.capture import capture
from steering.concepts.pairs import Pair
from steering.errors import SteeringError
from steering.interventions.entry import Entry, make_entry
from steering.interventions.presets import EditSettings
from steering.interventions.steer import steer
from steering.models.recording import record
from steering.models.sampling import CaptureSettings
from steering.sites import SD15_SITES, Site
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

from .conftest import BOTH, SIGMAS, STEPS, vector_for

ALL_KINDS = ("in4.attn2", "mid.attn1", "out5.ff", "out8.resnet")


def pictures(model, **options):
    return model.denoise(
        model.encode(["a dog", "a cat"]),
        model.encode([""]).expand(2),
        model.noise([0, 1], 64),
        STEPS,
        7.5,
        **options,
    )


@pytest.mark.parametrize("name", ALL_KINDS)
def test_steering_any_kind_of_site_changes_the_picture(toy_model, hooks_left, name):
    plain = pictures(toy_model)
    with steer(toy_model, vector_for(toy_model, [name]), strength=2.5, preset="projection"):
        steered = pictures(toy_model)
    assert not torch.equal(plain, steered)
    assert torch.equal(plain, pictures(toy_model))


def test_strength_zero_is_bit_identical(toy_model, hooks_left):
    plain = pictures(toy_model)
    for preset in ("projection", "casteer", "precise"):
        with steer(toy_model, vector_for(toy_model, ALL_KINDS), strength=0.0, preset=preset):
            assert torch.equal(plain, pictures(toy_model))


def test_untouched_sites_before_the_first_steered_one_are_equal(toy_model, hooks_left):
    x, context = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 64)
    vector = vector_for(toy_model, ["mid.attn2"])
    with torch.no_grad(), record(toy_model.sites()) as recording:
        toy_model.unet(x, 500, context)
        plain = recording.take(slice(None))
    with torch.no_grad(), steer(toy_model.unet, vector, strength=2.5, settings=BOTH, schedule=toy_model.schedule):
        with record(toy_model.sites()) as recording:
            toy_model.unet(x, 500, context)
            steered = recording.take(slice(None))
    before = SD15_SITES.index(Site.parse("mid.attn2"))
    assert all(torch.equal(plain[s], steered[s]) for s in SD15_SITES[:before])
    assert not torch.equal(plain[SD15_SITES[-1]], steered[SD15_SITES[-1]])


def test_a_mask_of_ones_is_no_mask(toy_model, hooks_left):
    vector = vector_for(toy_model, ALL_KINDS)
    with steer(toy_model, [make_entry(vector, strength=2.5, preset="projection")]):
        plain = pictures(toy_model)
    with steer(toy_model, [make_entry(vector, strength=2.5, preset="projection", mask=torch.ones(1, 64, 64))]):
        masked = pictures(toy_model)
    torch.testing.assert_close(masked, plain, atol=1e-4, rtol=1e-4)  # x + (moved - x) rounds once more a site


def test_guidance_one_and_batches_steer_the_same(toy_model, hooks_left):
    vector = vector_for(toy_model, ALL_KINDS)
    with steer(toy_model, vector, strength=1.0, preset="projection"):
        both = toy_model.generate(["a dog", "a cat"], steps=STEPS, guidance=1.0)
        single = [
            toy_model.generate([p], seed=i, steps=STEPS, guidance=1.0)[0] for i, p in enumerate(("a dog", "a cat"))
        ]
    # Another batch size sums in another order; one grey level of 255 is what that can show.
    assert np.abs(both.astype(int) - np.stack(single)).max() <= 1


def test_a_window_outside_the_run_changes_nothing(toy_model, hooks_left):
    plain, vector = pictures(toy_model), vector_for(toy_model, ALL_KINDS)
    with steer(toy_model, vector, strength=2.5, start=0.2, end=0.3):
        assert torch.equal(plain, pictures(toy_model))
    with steer(toy_model, vector, strength=2.5, start=0.4, end=0.6):
        assert not torch.equal(plain, pictures(toy_model))


def test_inactive_steps_are_left_alone(toy_model, hooks_left):
    vector, found = vector_for(toy_model, ["in4.attn2"]), []
    vector.sites[Site.parse("in4.attn2")].active[:-1] = False
    unet = toy_model.unet
    for on in (False, True):
        outputs = []
        handle = unet.register_forward_hook(lambda _m, _a, output, kept=outputs: kept.append(output[0]))
        try:
            with steer(toy_model, vector, strength=2.5 * on, preset="projection"):
                pictures(toy_model)
        finally:
            handle.remove()
        found.append(outputs)
    same = [torch.equal(plain, steered) for plain, steered in zip(*found, strict=True)]
    assert same == [True] * (STEPS - 1) + [False]


def test_nested_and_repeated_steering_leaves_nothing(toy_model, hooks_left):
    plain = pictures(toy_model)
    a, b = vector_for(toy_model, ["in4.attn2"]), vector_for(toy_model, ["in4.attn2", "out5.ff"], 1)
    for _ in range(2):
        with ExitStack() as stack:
            stack.enter_context(steer(toy_model, a, strength=1.0))
            stack.enter_context(steer(toy_model, b, strength=1.0))
            assert hooks_left() == 3
            nested = pictures(toy_model)
        assert torch.equal(plain, pictures(toy_model))
    assert not torch.equal(plain, nested)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupt_in_mid_sample_leaves_the_model_as_it_was(toy_model, hooks_left, error):
    plain = pictures(toy_model)

    def stop(step):
        if step == 1:
            raise error

    with pytest.raises(error), steer(toy_model, vector_for(toy_model, ALL_KINDS), strength=2.5):
        pictures(toy_model, after_call=stop)
    assert hooks_left() == 0
    assert toy_model.call is None
    assert torch.equal(plain, pictures(toy_model))


def test_misuse_is_refused_before_anything_is_installed(toy_model, hooks_left):
    vector = vector_for(toy_model, ["in4.attn2"])
    narrow = SiteVector(
        torch.eye(1, 8)[None], torch.zeros(1, 8), torch.zeros(1, 8), torch.ones(STEPS, dtype=torch.bool)
    )
    wrong = SteeringVector({Site.parse("in4.attn2"): narrow}, SIGMAS[:1], SIGMAS)
    cases = [
        (lambda: steer(toy_model, wrong), "64 channels here and 8 in the vector"),
        (lambda: steer(toy_model.unet, vector, settings=BOTH), "a bare UNet"),
        (lambda: steer(toy_model.unet, vector, schedule=toy_model.schedule), "a bare UNet"),
        (lambda: steer(toy_model, vector, preset="x"), "projection, casteer, precise, selective"),
        (lambda: steer(toy_model, vector, start=0.5, end=0.1), "lies after end"),
        (lambda: steer(toy_model, vector, strength=float("nan")), "finite"),
        (lambda: steer(toy_model, vector, settings=EditSettings(gate="threshold")), "no thresholds"),
        (lambda: steer(torch.nn.Linear(1, 1), vector, settings=BOTH, schedule=toy_model.schedule), "no known site"),
    ]
    for make, message in cases:
        with pytest.raises(ValueError, match=message), make():
            pass
        assert hooks_left() == 0


def test_a_call_outside_of_sampling_is_refused(toy_model, hooks_left):
    with pytest.raises(RuntimeError, match="outside of this model's own sampling"):
        with steer(toy_model, vector_for(toy_model, ["in4.attn2"])), torch.no_grad():
            toy_model.unet(torch.randn(1, 4, 8, 8), 5, torch.randn(1, 77, 64))


def test_a_bare_unet_steers_like_the_loaded_model_with_both_halves(toy_model, hooks_left):
    vector = vector_for(toy_model, ALL_KINDS)
    with steer(toy_model, vector, strength=1.0, settings=BOTH):
        loaded = pictures(toy_model)
    with steer(toy_model.unet, vector, strength=1.0, settings=BOTH, schedule=toy_model.schedule):
        bare = pictures(toy_model)
    # The bare UNet knows the rounded timestep, not the exact noise level; the nearest knot is the same.
    assert torch.equal(loaded, bare)


def test_every_mode_changes_the_picture_and_strength_zero_does_not(toy_model, hooks_left):
    plain, a, b = pictures(toy_model), vector_for(toy_model, ALL_KINDS, 1), vector_for(toy_model, ALL_KINDS, 2)
    for mode, target in (("suppress", None), ("add", None), ("replace", b)):
        for strength in (0.0, 1.0):
            with steer(toy_model, a, strength=strength, preset="projection", mode=mode, target=target):
                assert torch.equal(plain, pictures(toy_model)) == (strength == 0)


def test_modes_and_second_vectors_that_do_not_fit_are_refused(toy_model, hooks_left):
    a, b = vector_for(toy_model, ["in4.attn2"]), vector_for(toy_model, ["out5.ff"])
    narrow = SiteVector(torch.eye(1, 8)[None], *(torch.ones(1, 8),) * 2, torch.ones(STEPS, dtype=torch.bool))
    wrong = SteeringVector({Site.parse("in4.attn2"): narrow}, SIGMAS[:1], SIGMAS)
    for make, message in (
        (lambda: Entry(a, 1.0, BOTH, mode="swap"), "suppress, replace, add"),
        (lambda: Entry(a, 1.0, BOTH, mode="replace"), "takes a second vector"),
        (lambda: Entry(a, 1.0, BOTH, target=b), "takes no second vector"),
        (lambda: Entry(a, 1.0, BOTH, mode="replace", target=b), "share no site"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(ValueError, match="64 channels here and 8"):
        with steer(toy_model, [Entry(a, 1.0, BOTH, mode="replace", target=wrong)]):
            pass
    assert Entry(a, 1.0, EditSettings(gate="threshold"), mode="add").mode == "add"  # add reads no threshold


def test_a_recommended_window_is_taken_with_its_preset_only(toy_model, hooks_left):
    last = SIGMAS[-1].item()
    advice = {"preset": "projection", "strength": 2.0, "window": [None, (SIGMAS[-2] * SIGMAS[-1]).sqrt().item()]}
    vector = vector_for(toy_model, ["in4.attn2"], metadata={"recommended": advice})
    site = Site.parse("in4.attn2")
    advised = make_entry(vector)
    assert advised.strength == 2.0
    assert [advised.acts(site, sigma) for sigma in SIGMAS.tolist()] == [True, True, False]
    for other in (
        make_entry(vector, preset="precise"),
        make_entry(vector, window=(float("inf"), 0.0)),
        make_entry(vector, mode="add"),
    ):
        assert other.acts(site, last)
    plain = pictures(toy_model)
    with steer(toy_model, vector):
        as_advised = pictures(toy_model)
    with steer(toy_model, vector, start=0.0):
        always = pictures(toy_model)
    assert not torch.equal(plain, as_advised)
    assert not torch.equal(always, as_advised)


def test_arguments_that_would_be_ignored_are_refused(toy_model, hooks_left):
    with pytest.raises(ValueError, match=r"strength, preset would be ignored beside entries"):
        steer(toy_model, [], strength=1.0, preset="precise")
    assert hooks_left() == 0


def test_a_vector_that_a_run_never_reaches_is_told(toy_model, recwarn):
    vector = vector_for(toy_model, ["in4.attn2"])
    beside = vector.entry(strength=2.0, window=(1e9, 1e8))
    with steer(toy_model, vector, strength=2.0), steer(toy_model, vector, strength=0.0):
        toy_model.generate("a dog", steps=2)
    with steer(toy_model, vector, strength=2.0):
        pass  # nothing was drawn
    assert not recwarn.list
    with pytest.warns(UserWarning, match="did nothing: it acts at none of the 2 noise levels of this run"):
        with steer(toy_model, [beside]):
            toy_model.generate("a dog", steps=2)


def test_a_vector_that_would_fit_by_its_widths_alone_is_refused_as_well(toy_model, hooks_left):
    """SD 1.5's and SD 2's sites have the same names and widths, and mean something else."""
    fitting = vector_for(toy_model, ["in4.attn2"])
    foreign = replace(fitting, metadata={"model": {"family": "sd2"}})
    with steer(toy_model, replace(fitting, metadata={"model": {"family": "pocket"}})):
        assert hooks_left() == 1
    for entry in (foreign.entry(), fitting.entry(mode="replace", target=foreign)):
        with pytest.raises(SteeringError, match="the vector was made for sd2, and this model is pocket"):
            with steer(toy_model, [entry]):
                pass
        with steer(toy_model.unet, [replace(entry, settings=BOTH)], schedule=toy_model.schedule):
            assert hooks_left() > 0  # nobody knows what a bare UNet is


def test_a_window_of_which_one_end_is_given_reaches_to_the_other(toy_model, hooks_left):
    vector = vector_for(toy_model, ["in4.attn2"])
    for given, full in (
        ({"start": 0.5}, (0.5, 1.0)),
        ({"end": 0.5}, (0.0, 0.5)),
        ({"start": 0.5, "end": 0.5}, (0.5, 0.5)),
    ):
        with steer(toy_model, vector, **given) as made:
            assert made.entries[0].window == tuple(map(toy_model.schedule.percent_to_sigma, full))


def test_a_run_that_never_comes_to_a_steered_site_says_so(toy_model, hooks_left):
    vector = vector_for(toy_model, ["in4.attn2", "mid.attn1", "out5.ff"])
    block = toy_model.unet.mid_block.attentions[0]
    block.forward = lambda x, **_: (x,)  # as packs do that skip blocks
    try:
        with pytest.raises(SteeringError, match=r"reached 2 of 3 sites in this run and never mid\.attn1"):
            with steer(toy_model, vector, strength=1.0):
                pictures(toy_model)
        with pytest.raises(SteeringError, match=r"never ran mid\.attn1"):
            capture(toy_model, [Pair("a", "b")], sites="mid.attn1,out5.ff", settings=CaptureSettings(2, 1.0))
    finally:
        del block.forward
    with steer(toy_model, vector, strength=1.0):
        pass  # nothing ran, so nothing was missed
    with steer(toy_model, vector, strength=1.0):
        pictures(toy_model)


def test_attention_that_something_else_computes_is_steered_all_the_same(toy_model, hooks_left):
    """A replaced attention calls the projections itself, and the attention's own forward pass never."""
    vector = vector_for(toy_model, ["in4.attn2", "mid.attn1"])
    plain = pictures(toy_model)
    with steer(toy_model, vector, strength=2.0):
        expected = pictures(toy_model)
    attentions = [m for m in toy_model.unet.modules() if m.__class__.__name__ == "Attention"]
    for attention in attentions:
        attention.forward = partial(attention.processor, attention)
    try:
        assert torch.equal(pictures(toy_model), plain)
        with steer(toy_model, vector, strength=2.0):
            assert torch.equal(pictures(toy_model), expected)
    finally:
        for attention in attentions:
            del attention.forward
    assert not torch.equal(expected, plain)


@pytest.mark.parametrize("names", [ALL_KINDS, ("text",)], ids=["blocks", "text"])
def test_a_network_compiled_before_is_steered_as_any_other(toy_model, hooks_left, names):
    """In one graph; and at other steps, strengths and vectors with nothing compiled anew."""
    one, other = vector_for(toy_model, names), vector_for(toy_model, names, seed=1)
    plain = pictures(toy_model)
    wanted = []
    for vector, strength in ((one, 1.5), (other, 0.5)):
        with steer(toy_model, vector, strength=strength, preset="projection"):
            wanted.append(pictures(toy_model))
    torch._dynamo.reset()
    counters.clear()
    toy_model.unet.compile(backend="eager", fullgraph=True)
    try:
        assert torch.equal(pictures(toy_model), plain)
        for vector, strength, picture in ((one, 1.5, wanted[0]), (other, 0.5, wanted[1])):
            with steer(toy_model, vector, strength=strength, preset="projection"):
                assert torch.equal(pictures(toy_model), picture)
        assert torch.equal(pictures(toy_model), plain)
        assert counters["stats"]["unique_graphs"] == 2  # unsteered and steered
    finally:
        toy_model.unet._compiled_call_impl = None
        torch._dynamo.reset()
    assert not torch.equal(wanted[0], wanted[1])
