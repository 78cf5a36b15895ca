"""Apply Steering in a real ComfyUI does what the command line does, and nothing else."""

import math

import pytest
import torch

from steering.interventions.steer import steer
from steering.vectors.recommendation import Recommendation
from steering.vectors.vector import recommend

from .conftest import SAME, gap, internals, outputs

PRESETS = ("projection", "casteer", "precise", "selective")


def hooks(model):
    return sum(len(module._forward_hooks) for module in model.model.diffusion_model.modules())


@pytest.fixture(scope="module")
def plain(graph):
    return graph.sample()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_picture_as_headless(graph, headless, vector, plain, preset):
    theirs = graph.sample(graph.apply(vector, 1.5, preset))
    assert gap(theirs, plain) > 10 * SAME
    with steer(headless.model, vector, strength=1.5, preset=preset):
        assert gap(theirs, headless.sample()) < SAME


def test_strength_zero_is_bit_identical(graph, vector, plain):
    assert torch.equal(graph.sample(graph.apply(vector, 0.0)), plain)


def test_the_model_given_is_untouched(graph, vector, plain):
    steered = graph.apply(vector, 2.5)
    during = graph.sample(steered)
    assert not torch.equal(during, plain)
    assert torch.equal(graph.sample(), plain)
    assert hooks(steered) == 0
    assert torch.equal(graph.sample(steered), during)  # queued again


def test_clones_steer_alike(graph, vector):
    steered = graph.apply(vector, 1.0)
    assert torch.equal(graph.sample(steered.clone().clone()), graph.sample(steered))


def test_a_batch_and_another_step_count(graph, headless, vector):
    theirs = graph.sample(graph.apply(vector, 1.5), batch=3, steps=5)
    with steer(headless.model, vector, strength=1.5, preset="projection"):
        # Five coarse steps amplify what two samplers round differently.
        assert gap(theirs, headless.sample(batch=3, steps=5)) < 5 * SAME
    assert gap(theirs, graph.sample(batch=3, steps=5)) > 50 * SAME


def test_without_guidance_every_row_is_the_prompts(graph, headless, vector):
    theirs = graph.sample(graph.apply(vector, 1.5), cfg=1.0)
    with steer(headless.model, vector, strength=1.5, preset="projection"):
        assert gap(theirs, headless.sample(cfg=1.0)) < SAME


def test_consecutive_nodes_act_together_as_entries_do(graph, headless, vector):
    first = graph.apply(vector, 1.0)
    with pytest.warns(UserWarning, match="twice|dropped|already"):
        both = graph.sample(graph.apply(vector, 2.0, "precise", graph.apply(vector, 1.0, "precise", first)))
    entries = [vector.entry(strength=1.0, preset="projection")] + [
        vector.entry(strength=s, preset="precise") for s in (1.0, 2.0)
    ]
    with pytest.warns(UserWarning), steer(headless.model, entries):
        assert gap(both, headless.sample()) < SAME


def test_a_window_limits_where_it_acts(graph, vector, plain):
    early = graph.sample(graph.apply(vector, 2.5, end=0.3))
    late = graph.sample(graph.apply(vector, 2.5, start=0.3))
    whole = graph.sample(graph.apply(vector, 2.5))
    assert not any(torch.equal(a, b) for a, b in ((early, plain), (late, plain), (early, whole), (late, whole)))
    with pytest.raises(ValueError, match="is no part of 0 to 1"):
        graph.apply(vector, 1.0, start=0.9, end=0.1)


def test_a_recommended_window_is_taken_where_nothing_else_is_said(graph, headless, vector, plain):
    level = headless.model.schedule.percent_to_sigma(0.3)
    advised = recommend(vector, Recommendation("projection", 2.5, (math.inf, level)))
    early = graph.sample(graph.apply(vector, 2.5, end=0.3))
    taken = graph.sample(graph.apply(advised, 2.5, "recommended"))
    assert torch.equal(taken, early)
    assert not torch.equal(taken, plain)
    whole = graph.sample(graph.apply(vector, 2.5))
    for asked in (graph.apply(advised, 2.5), graph.apply(advised, 2.5, "recommended", start=0.001)):
        assert not torch.equal(graph.sample(asked), early)
    assert torch.equal(graph.sample(graph.apply(advised, 2.5)), whole)
    with steer(headless.model, advised):
        assert gap(taken, headless.sample()) < SAME


@pytest.mark.parametrize("sampler", ["heun", "dpm_2", "dpmpp_2m"])
def test_other_samplers_steer_at_every_level_they_ask_for(graph, vector, sampler, comfy):
    plain = graph.sample(sampler_name=sampler)
    assert torch.equal(graph.sample(graph.apply(vector, 0.0), sampler_name=sampler), plain)
    steered, seen = internals(comfy).observed(graph.apply(vector, 2.0))
    assert (graph.sample(steered, sampler_name=sampler) - plain).abs().max() > 0.1
    levels = {pending.sigma for pending in seen}
    assert len(levels) >= (5 if sampler == "dpm_2" else 4)  # dpm_2 asks in the middle of its steps as well
    for pending in seen:
        before, after, touched = pending.figures.tolist()
        assert after == pytest.approx((1 - 2.0) * before, abs=1e-3)
        assert touched == 1.0


def test_from_the_middle_of_the_schedule(graph, headless, vector, comfy):
    plain = graph.sample(denoise=0.5)
    steered, seen = internals(comfy).observed(graph.apply(vector, 2.0))
    assert (graph.sample(steered, denoise=0.5) - plain).abs().max() > 0.05
    levels = sorted({pending.sigma for pending in seen}, reverse=True)
    # The last four of the eight levels that eight steps would have.
    expected = headless.model.schedule.normal(8)[4:-1].tolist()
    assert levels == pytest.approx(expected, rel=1e-3)


def test_a_second_packs_patch_composes(graph, vector):
    def halve(n, _options):
        return n / 2

    patched = graph.model.clone()
    patched.set_model_attn2_output_patch(halve)
    both = graph.sample(graph.apply(vector, 2.0, model=patched))
    assert not torch.equal(both, graph.sample(patched))
    assert not torch.equal(both, graph.sample(graph.apply(vector, 2.0)))


def test_an_interrupt_in_mid_sample_leaves_nothing(graph, vector, plain):
    from comfy.model_management import InterruptProcessingException

    steered, calls = graph.apply(vector, 2.0), []

    def stop(n, _options):
        calls.append(1)
        if len(calls) > 20:
            raise InterruptProcessingException
        return n

    steered.set_model_attn1_output_patch(stop)
    with pytest.raises(InterruptProcessingException):
        graph.sample(steered)
    assert hooks(steered) == 0
    assert torch.equal(graph.sample(), plain)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([1, 0], (False, False, True, True)),
        ([0, 1], (True, True, False, False)),
        ([0], (True, True)),
        ([1, 0, 0], (False, False, True, True, True, True)),
    ],
)
def test_rows_are_told_apart_in_any_order(comfy, chunks, expected):
    options = {"cond_or_uncond": chunks, "sigmas": torch.tensor([2.0, 1.0])}
    call = internals(comfy, "comfy_call").describe(torch.zeros(2 * len(chunks), 4, 8, 8), options)
    assert call.conditional == expected
    assert call.sigmas == (2.0, 1.0) * len(chunks)


def test_a_sampler_that_says_nothing_is_refused(comfy):
    with pytest.raises(RuntimeError, match="guidance"):
        internals(comfy, "comfy_call").describe(torch.zeros(2, 4, 8, 8), {})


def test_a_vector_of_another_model_is_refused_at_once(graph, vector):
    from dataclasses import replace

    site, part = next(iter(vector.sites.items()))
    wide = {name: torch.nn.functional.pad(getattr(part, name), (0, 8)) for name in ("direction", "negative_mean")}
    other = replace(vector, sites={site: replace(part, difference=wide["negative_mean"] + 1, **wide)})
    with pytest.raises(ValueError, match="use a vector made for this model"):
        graph.apply(other, 1.0)


def plain_attention(q, k, v, extra_options, mask=None):
    """What ComfyUI's attention does, as a pack that replaces it would write it."""
    from comfy.ldm.modules.attention import optimized_attention

    return optimized_attention(q, k, v, extra_options["n_heads"])


def replaced(model):
    """A model whose cross-attention another pack computes in every block, to no effect."""
    other = model.clone()
    for place, blocks in (("input", range(12)), ("output", range(12)), ("middle", range(2))):
        for block in blocks:
            for layer in range(2):
                other.set_model_attn2_replace(plain_attention, place, block, layer)
    return other


def test_steering_reaches_attention_that_another_pack_replaces(graph, vector, plain):
    assert any(site.kind == "attn2" for site in vector.sites)
    assert gap(graph.sample(replaced(graph.model)), plain) < SAME
    steered = graph.sample(graph.apply(vector, 2.5))
    assert gap(steered, plain) > 10 * SAME
    assert gap(graph.sample(graph.apply(vector, 2.5, model=replaced(graph.model))), steered) < SAME


def test_a_run_that_never_comes_to_a_steered_site_says_so(graph, vector):
    site = next(site for site in vector.sites if site.kind != "resnet")
    unet = graph.model.model.diffusion_model
    transformer = unet.get_submodule(site.ldm_path.split(".transformer_blocks")[0])
    steered = graph.apply(vector, 1.0)
    transformer.forward = lambda x, *rest, **more: x  # as packs do that skip blocks
    try:
        with pytest.raises(ValueError, match=rf"steering reached \d+ of {len(vector.sites)} sites .* never .*{site}"):
            graph.sample(steered)
    finally:
        del transformer.forward
    assert torch.isfinite(graph.sample(steered)).all()


def test_a_merge_keeps_the_steering_of_its_first_model(comfy, graph, vector):
    steered, plain = graph.apply(vector, 1.5), graph.sample()
    moved = graph.sample(steered)
    assert gap(moved, plain) > 10 * SAME
    for first, second, expected in ((steered, graph.model, moved), (graph.model, steered, plain)):
        merged = outputs(comfy.ModelMergeSimple, model1=first, model2=second, ratio=1.0)[0]
        assert gap(graph.sample(merged), expected) < SAME


def test_a_lora_before_or_after_makes_no_difference(graph, vector):
    name = "diffusion_model.input_blocks.5.1.transformer_blocks.0.attn2.to_q.weight"
    value = graph.model.model_state_dict()[name]
    change = {name: ("diff", (torch.randn(value.shape, generator=torch.Generator().manual_seed(0)),))}
    before = graph.model.clone()
    assert before.add_patches(change, 1.0)
    after = graph.apply(vector, 1.5).clone()
    after.add_patches(change, 1.0)
    seen = graph.sample(graph.apply(vector, 1.5, model=before))
    assert gap(seen, graph.sample(graph.apply(vector, 1.5))) > 10 * SAME
    assert gap(graph.sample(after), seen) < SAME
