from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch

from steering.interventions import Rows, Settings, orthonormalise
from steering.recording import record
from steering.schedule import NoiseSchedule
from steering.sites import SD15_SITES, Site, module_width
from steering.steer import Call, Entry, Steering, make_entry, steer
from steering.vector import SiteVector, SteeringVector

STEPS = 3
SIGMAS = NoiseSchedule.scaled_linear().normal(STEPS)[:-1]
BOTH = Settings("zero", "all", False, "both")


def vector_for(model, names, seed=0, metadata=None):
    generator = torch.Generator().manual_seed(seed)
    modules = model.sites()
    sites = {}
    for name in names:
        site = Site.parse(name)
        width = module_width(modules[site], site.kind)
        rows = torch.nn.functional.normalize(torch.randn(STEPS, 1, width, generator=generator), dim=-1)
        active = torch.ones(STEPS, dtype=torch.bool)
        sites[site] = SiteVector(rows, torch.randn(STEPS, width, generator=generator), rows[:, 0], active)
    return SteeringVector(sites, SIGMAS, SIGMAS, metadata or {})


ALL_KINDS = ("in4.attn2", "mid.attn1", "out5.ff", "out8.resnet")


def pictures(model, **options):
    return model.denoise(
        model.encode(["a dog", "a cat"]),
        model.encode([""]).expand(2, -1, -1),
        model.noise([0, 1], 64),
        STEPS,
        7.5,
        **options,
    )


@pytest.mark.parametrize("name", ALL_KINDS)
def test_steering_any_kind_of_site_changes_the_picture(toy_model, hooks_left, name):
    plain = pictures(toy_model)
    with steer(toy_model, vector_for(toy_model, [name]), 2.5, "study"):
        steered = pictures(toy_model)
    assert not torch.equal(plain, steered)
    assert torch.equal(plain, pictures(toy_model))


def test_strength_zero_is_bit_identical(toy_model, hooks_left):
    plain = pictures(toy_model)
    for preset in ("study", "casteer", "precise"):
        with steer(toy_model, vector_for(toy_model, ALL_KINDS), 0.0, preset):
            assert torch.equal(plain, pictures(toy_model))


def test_untouched_sites_before_the_first_steered_one_are_equal(toy_model, hooks_left):
    x, context = torch.randn(1, 24, 8, 8), torch.randn(1, 77, 64)
    vector = vector_for(toy_model, ["mid.attn2"])
    with torch.no_grad(), record(toy_model.sites()) as recording:
        toy_model.unet(x, 500, context)
        plain = recording.take(slice(None))
    with torch.no_grad(), steer(toy_model.unet, vector, 2.5, settings=BOTH, schedule=toy_model.schedule):
        with record(toy_model.sites()) as recording:
            toy_model.unet(x, 500, context)
            steered = recording.take(slice(None))
    before = SD15_SITES.index(Site.parse("mid.attn2"))
    assert all(torch.equal(plain[s], steered[s]) for s in SD15_SITES[:before])
    assert not torch.equal(plain[SD15_SITES[-1]], steered[SD15_SITES[-1]])


def test_the_unconditional_half_is_untouched(toy_model):
    vector = vector_for(toy_model, ["in4.attn2"])
    entry = Entry(vector, 2.5, Settings("zero", "all", False, "cond"))
    output = torch.randn(4, 16, 64)
    result = Steering([entry]).edit(Site.parse("in4.attn2"), output, Call((5.0,) * 4, (False, True, False, True)))
    assert torch.equal(result[[0, 2]], output[[0, 2]])
    assert not torch.equal(result[[1, 3]], output[[1, 3]])
    nobody = Steering([entry]).edit(Site.parse("in4.attn2"), output, Call((5.0,) * 4, (False,) * 4))
    assert nobody is None


def test_a_threshold_moves_along_with_a_row_that_is_turned():
    """A token at the negative mean lies below the threshold of either vector, alone and together."""
    site, sigmas = Site.parse("in4.attn2"), torch.tensor([5.0])
    mean = torch.tensor([[-10.0, 5.0, 0.0]])

    def vector(direction, threshold):
        row = torch.nn.functional.normalize(torch.tensor([[direction]]), dim=-1)
        part = SiteVector(row, mean, row[:, 0], torch.tensor([True]), torch.tensor([[threshold]]))
        return SteeringVector({site: part}, sigmas, sigmas)

    settings = Settings("negative", "threshold", False, "both")
    first, second = (Entry(vector(*v), 1.0, settings) for v in (((1.0, 0.0, 0.0), -9.0), ((1.0, 1.0, 0.0), -3.0)))
    call = Call((5.0,), (True,))
    output = mean[None].clone()
    for entries in ([first], [second], [first, second], [second, first]):
        assert torch.equal(Steering(entries).edit(site, output, call), output)
    above = output + torch.tensor([0.0, 3.0, 0.0])  # the second vector's concept
    assert not torch.equal(Steering([first, second]).edit(site, above, call), above)


def test_an_entry_without_its_leading_row_does_not_act():
    rows = torch.eye(3)
    entries = [Rows(rows[:1], *(torch.zeros(1),) * 3, rows[:1]), Rows(rows[:2], *(torch.zeros(2),) * 3, rows[:2])]
    kept, sources = orthonormalise(entries)
    assert len(kept[0]) == 1
    assert len(kept[1]) == len(sources[1]) == 0


def test_a_mask_confines_the_edit_to_its_tokens_and_follows_the_batch(toy_model):
    vector, site = vector_for(toy_model, ["in4.attn2"]), Site.parse("in4.attn2")
    mask = torch.zeros(2, 8, 8)
    mask[0, :, :4] = 1  # the left half of the first picture, nothing of the second
    output, call = torch.randn(4, 16, 64), Call((5.0,) * 4, (False, False, True, True), (8, 8))
    result = Steering([Entry(vector, 2.5, BOTH, mask=mask)]).edit(site, output, call).reshape(4, 4, 4, 64)
    before = output.reshape(4, 4, 4, 64)
    for row in (0, 2):
        assert not torch.equal(result[row, :, :2], before[row, :, :2])
        assert torch.equal(result[row, :, 2:], before[row, :, 2:])
    assert torch.equal(result[[1, 3]], before[[1, 3]])
    # Which mask a picture gets does not depend on how many chunks run together.
    alone = Steering([Entry(vector, 2.5, BOTH, mask=mask)]).edit(site, output[:1], Call((5.0,), (True,), (8, 8)))
    batched = Call((5.0,) * 2, (False, True), (8, 8), batch=1)
    again = Steering([Entry(vector, 2.5, BOTH, mask=mask)]).edit(site, output[:1].repeat(2, 1, 1), batched)
    torch.testing.assert_close(again[1:], alone, atol=1e-6, rtol=0)  # batched matmul rounding
    with pytest.raises(ValueError, match="size of the latents"):
        Steering([Entry(vector, 2.5, BOTH, mask=mask)]).edit(site, output, Call((5.0,) * 4, (True,) * 4))
    with pytest.raises(ValueError, match=r"\[M, H, W\]"):
        Entry(vector, 2.5, BOTH, mask=mask[0])


def test_a_mask_of_ones_is_no_mask(toy_model, hooks_left):
    vector = vector_for(toy_model, ALL_KINDS)
    with steer(toy_model, [make_entry(vector, 2.5, "study")]):
        plain = pictures(toy_model)
    with steer(toy_model, [make_entry(vector, 2.5, "study", mask=torch.ones(1, 64, 64))]):
        masked = pictures(toy_model)
    torch.testing.assert_close(masked, plain, atol=1e-4, rtol=1e-4)  # x + (moved - x) rounds once more a site


def test_rows_of_other_noise_levels_get_their_own_direction(toy_model):
    vector, site = vector_for(toy_model, ["in4.attn2"]), Site.parse("in4.attn2")
    steering = Steering([Entry(vector, 1.0, BOTH)])
    output = torch.randn(2, 16, 64)
    levels = (float(SIGMAS[0]), float(SIGMAS[2]))
    together = steering.edit(site, output, Call(levels, (True, True)))
    for row, level in enumerate(levels):
        alone = steering.edit(site, output[row : row + 1], Call((level,), (True,)))
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-6, rtol=0)  # batched matmul rounding


def test_guidance_one_and_batches_steer_the_same(toy_model, hooks_left):
    vector = vector_for(toy_model, ALL_KINDS)
    with steer(toy_model, vector, 1.0, "study"):
        both = toy_model.generate(["a dog", "a cat"], steps=STEPS, guidance=1.0)
        single = [
            toy_model.generate([p], seed=i, steps=STEPS, guidance=1.0)[0] for i, p in enumerate(("a dog", "a cat"))
        ]
    # Another batch size sums in another order; one grey level of 255 is what that can show.
    assert np.abs(both.astype(int) - np.stack(single)).max() <= 1


def test_a_window_outside_the_run_changes_nothing(toy_model, hooks_left):
    plain, vector = pictures(toy_model), vector_for(toy_model, ALL_KINDS)
    with steer(toy_model, vector, 2.5, start=0.2, end=0.3):
        assert torch.equal(plain, pictures(toy_model))
    with steer(toy_model, vector, 2.5, start=0.4, end=0.6):
        assert not torch.equal(plain, pictures(toy_model))


def test_inactive_steps_are_left_alone(toy_model, hooks_left):
    vector = vector_for(toy_model, ["in4.attn2"])
    vector.sites[Site.parse("in4.attn2")].active[:] = False
    plain = pictures(toy_model)
    with steer(toy_model, vector, 2.5):
        assert torch.equal(plain, pictures(toy_model))


def test_nested_and_repeated_steering_leaves_nothing(toy_model, hooks_left):
    plain = pictures(toy_model)
    a, b = vector_for(toy_model, ["in4.attn2"]), vector_for(toy_model, ["in4.attn2", "out5.ff"], 1)
    for _ in range(2):
        with ExitStack() as stack:
            stack.enter_context(steer(toy_model, a, 1.0))
            stack.enter_context(steer(toy_model, b, 1.0))
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

    with pytest.raises(error), steer(toy_model, vector_for(toy_model, ALL_KINDS), 2.5):
        pictures(toy_model, after_call=stop)
    assert hooks_left() == 0
    assert toy_model.call is None
    assert torch.equal(plain, pictures(toy_model))


def test_several_vectors_of_equal_settings_are_orthonormalised(toy_model):
    site = Site.parse("in4.attn2")
    a, b = vector_for(toy_model, ["in4.attn2"], 1), vector_for(toy_model, ["in4.attn2"], 2)
    steering = Steering([Entry(a, 1.0, BOTH), Entry(b, 1.0, BOTH)])
    output = torch.randn(1, 16, 64)
    out = steering.edit(site, output, Call((5.0,), (True,)))
    knot = a.knot(5.0)
    for vector in (a, b):  # strength 1 removes the span of both, which one after the other would not
        assert (out @ vector.sites[site].direction[knot, 0]).abs().max() < 1e-5
    first_only = steering.edit(site, output, Call((5.0,), (True,)))
    assert torch.equal(out, first_only)


def test_the_same_vector_twice_counts_once_with_a_warning(toy_model):
    site, vector = Site.parse("in4.attn2"), vector_for(toy_model, ["in4.attn2"])
    output, call = torch.randn(1, 16, 64), Call((5.0,), (True,))
    once = Steering([Entry(vector, 2.5, BOTH)]).edit(site, output, call)
    with pytest.warns(UserWarning, match="already cover"):
        twice = Steering([Entry(vector, 2.5, BOTH), Entry(vector, 2.5, BOTH)]).edit(site, output, call)
    torch.testing.assert_close(once, twice, atol=1e-5, rtol=0)


def test_a_zero_entry_takes_no_part(toy_model):
    site = Site.parse("in4.attn2")
    a, b = vector_for(toy_model, ["in4.attn2"], 1), vector_for(toy_model, ["in4.attn2"], 2)
    output, call = torch.randn(1, 16, 64), Call((5.0,), (True,))
    alone = Steering([Entry(b, 1.0, BOTH)]).edit(site, output, call)
    assert torch.equal(alone, Steering([Entry(a, 0.0, BOTH), Entry(b, 1.0, BOTH)]).edit(site, output, call))


def test_blanks_are_filled_from_the_file_then_from_the_preset(toy_model):
    plain = vector_for(toy_model, ["in4.attn2"])
    advised = vector_for(toy_model, ["in4.attn2"], metadata={"recommended": {"preset": "study", "strength": 1.7}})
    assert (make_entry(plain).strength, make_entry(plain).settings.reference) == (1.0, "negative")
    assert (make_entry(advised).strength, make_entry(advised).settings.reference) == (1.7, "zero")
    assert make_entry(advised, preset="casteer").strength == 2.0
    assert make_entry(advised, 0.3).strength == 0.3


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
        (lambda: steer(toy_model, vector, preset="x"), "study, casteer, precise, selective"),
        (lambda: steer(toy_model, vector, start=0.5, end=0.1), "lies after end"),
        (lambda: steer(toy_model, vector, float("nan")), "finite"),
        (lambda: steer(toy_model, vector, settings=Settings(gate="threshold")), "no thresholds"),
        (lambda: steer(torch.nn.Linear(1, 1), vector, settings=BOTH, schedule=toy_model.schedule), "no known site"),
    ]
    for make, message in cases:
        with pytest.raises(ValueError, match=message), make():
            pass
        assert hooks_left() == 0


def test_a_call_outside_of_sampling_is_refused(toy_model, hooks_left):
    with pytest.raises(RuntimeError, match="outside of this model's own sampling"):
        with steer(toy_model, vector_for(toy_model, ["in4.attn2"])), torch.no_grad():
            toy_model.unet(torch.randn(1, 24, 8, 8), 5, torch.randn(1, 77, 64))


def test_a_bare_unet_steers_like_the_loaded_model_with_both_halves(toy_model, hooks_left):
    vector = vector_for(toy_model, ALL_KINDS)
    with steer(toy_model, vector, 1.0, settings=BOTH):
        loaded = pictures(toy_model)
    with steer(toy_model.unet, vector, 1.0, settings=BOTH, schedule=toy_model.schedule):
        bare = pictures(toy_model)
    # The bare UNet knows the rounded timestep, not the exact noise level; the nearest knot is the same.
    assert torch.equal(loaded, bare)


def test_every_mode_changes_the_picture_and_strength_zero_does_not(toy_model, hooks_left):
    plain, a, b = pictures(toy_model), vector_for(toy_model, ALL_KINDS, 1), vector_for(toy_model, ALL_KINDS, 2)
    for mode, target in (("suppress", None), ("add", None), ("replace", b)):
        for strength in (0.0, 1.0):
            with steer(toy_model, a, strength, "study", mode=mode, target=target):
                assert torch.equal(plain, pictures(toy_model)) == (strength == 0)


def edited(entries, output, sigma=5.0, name="in4.attn2"):
    return Steering(entries).edit(Site.parse(name), output, Call((sigma,) * len(output), (True,) * len(output)))


def test_a_picture_with_the_concept_becomes_one_with_the_other(toy_model):
    """What lies at a's positive mean lies, at strength 1, as far from a's negative mean as b's does from b's."""
    a, b, site = (
        vector_for(toy_model, ["in4.attn2"], 1),
        vector_for(toy_model, ["in4.attn2"], 2),
        Site.parse("in4.attn2"),
    )
    knot = a.knot(5.0)
    negative, step = a.sites[site].negative_mean[knot], a.sites[site].displacement[knot]
    entry = Entry(a, 1.0, Settings("negative", "all", False, "both"), mode="replace", target=b)
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


def test_suppression_comes_first_then_replacement_then_addition(toy_model):
    a, b, c = (vector_for(toy_model, ["in4.attn2"], seed) for seed in (1, 2, 3))
    output = torch.randn(1, 16, 64)
    entries = [
        Entry(c, 1.0, BOTH, mode="add"),
        Entry(b, 1.0, BOTH, mode="replace", target=c),
        Entry(a, 1.0, BOTH),
    ]
    in_turn = output
    for entry in reversed(entries):
        in_turn = edited([entry], in_turn)
    for order in (entries, entries[::-1]):
        torch.testing.assert_close(edited(order, output), in_turn, atol=1e-5, rtol=0)
    other = edited([entries[2]], edited([entries[0]], output))  # the order matters
    assert not torch.allclose(other, edited([entries[0]], edited([entries[2]], output)), atol=1e-3)


def test_where_the_second_vector_lacks_a_site_the_concept_is_only_taken_out(toy_model):
    a, b = vector_for(toy_model, ["in4.attn2", "out5.ff"], 1), vector_for(toy_model, ["out5.ff"], 2)
    output = torch.randn(1, 16, 64)
    both = edited([Entry(a, 1.0, BOTH, mode="replace", target=b)], output)
    assert torch.equal(both, edited([Entry(a, 1.0, BOTH)], output))
    wide = torch.randn(1, 16, 128)
    swapped = edited([Entry(a, 1.0, BOTH, mode="replace", target=b)], wide, name="out5.ff")
    assert not torch.equal(swapped, edited([Entry(a, 1.0, BOTH)], wide, name="out5.ff"))


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
    assert Entry(a, 1.0, Settings(gate="threshold"), mode="add").mode == "add"  # add reads no threshold


def test_strength_none_is_one_for_add_and_replace(toy_model):
    advised = vector_for(toy_model, ["in4.attn2"], metadata={"recommended": {"preset": "study", "strength": 1.7}})
    assert make_entry(advised, mode="add").strength == 1.0
    assert make_entry(advised, mode="replace", target=advised).strength == 1.0
    assert make_entry(advised).strength == 1.7


def uncertain(vector, site, values):
    part = replace(vector.sites[Site.parse(site)], certainty=torch.tensor(values))
    return replace(vector, sites={**vector.sites, Site.parse(site): part})


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
    suppressed = Steering([make_entry(plain, 1.0, settings=BOTH)])
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


def test_a_recommended_window_is_taken_with_its_preset_only(toy_model, hooks_left):
    last = SIGMAS[-1].item()
    advice = {"preset": "study", "strength": 2.0, "window": [None, (SIGMAS[-2] * SIGMAS[-1]).sqrt().item()]}
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
