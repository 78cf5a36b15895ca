from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from steering.interventions.entry import Entry
from steering.interventions.presets import EditSettings
from steering.interventions.steer import steer
from steering.lora.bake import (
    LINEAR,
    bake,
    constant,
    linear_layers,
    linearised,
    merged,
    obstacles,
    relative_gap,
)
from steering.schedule import NoiseSchedule
from steering.sites import Site, module_width
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

SIGMAS = NoiseSchedule.scaled_linear().normal(3)[:-1]
KINDS = {"attn1": "in4.attn1", "attn2": "in5.attn2", "ff": "out5.ff"}
EVERYWHERE = tuple(KINDS.values())

# Weights and activations are float32: adding two weights first or two outputs last rounds apart by about 1e-7 a
# layer, which the layers behind and ten times as large activations carry to this.
SAME = 1e-5


def vector_for(model, names=EVERYWHERE, rank=1, knots=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    modules, sites = model.sites(), {}
    for name in names:
        site = Site.parse(name)
        width = module_width(modules[site], site.kind)
        rows = torch.linalg.qr(torch.randn(knots, width, rank, generator=generator)).Q.mT.contiguous()
        sites[site] = SiteVector(
            rows, torch.randn(knots, width, generator=generator), 2 * rows[:, 0], torch.ones(len(SIGMAS)) > 0
        )
    sigmas = SIGMAS if knots > 1 else SIGMAS[1:2]
    return SteeringVector(sites, sigmas, SIGMAS, {"concept": "thing"})


def linear(reference="zero"):
    return EditSettings(reference, "all", False, "both")


def outputs(model):
    """What the bare UNet makes of two latents at two noise levels."""
    generator = torch.Generator().manual_seed(5)
    x, context = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 77, 64, generator=generator)
    with torch.no_grad():
        return model.unet(x, torch.tensor([700, 30]), context, return_dict=False)[0]


def steered(model, entry):
    with steer(model.unet, [entry], schedule=model.schedule):
        return outputs(model)


def with_lora(model, entry, strength=1.0):
    with merged(model.unet, bake(entry, linear_layers(model.unet, list(entry.vector.sites))), strength):
        return outputs(model)


@pytest.mark.parametrize("reference", ["zero", "negative"])
@pytest.mark.parametrize("strength", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("kind", [*KINDS, "all"])
def test_weights_do_what_the_hook_does(toy_model, hooks_left, kind, strength, reference):
    vector = vector_for(toy_model, EVERYWHERE if kind == "all" else (KINDS[kind],))
    entry = Entry(vector, strength, linear(reference))
    plain, by_hook = outputs(toy_model), steered(toy_model, entry)
    assert (by_hook - plain).abs().max() > 100 * SAME
    torch.testing.assert_close(with_lora(toy_model, entry), by_hook, atol=SAME, rtol=SAME)


@pytest.mark.parametrize("mode", ["suppress", "add", "replace"])
@pytest.mark.parametrize("rank", [1, 3])
def test_every_mode_and_several_directions_are_exact(toy_model, hooks_left, mode, rank):
    target = vector_for(toy_model, seed=1) if mode == "replace" else None
    entry = Entry(vector_for(toy_model, rank=rank), 1.5, linear("negative"), mode=mode, target=target)
    by_hook = steered(toy_model, entry)
    assert (by_hook - outputs(toy_model)).abs().max() > 100 * SAME
    torch.testing.assert_close(with_lora(toy_model, entry), by_hook, atol=SAME, rtol=SAME)


def test_a_lora_is_linear_in_its_strength(toy_model):
    vector = vector_for(toy_model)
    whole = with_lora(toy_model, Entry(vector, 1.5, linear("negative")))
    parts = with_lora(toy_model, Entry(vector, 0.5, linear("negative")), 3.0)
    torch.testing.assert_close(parts, whole, atol=SAME, rtol=SAME)


def test_the_bias_is_part_of_it(toy_model):
    """What A1111 loses: without the bias delta the reference is gone."""
    entry = Entry(vector_for(toy_model), 1.5, linear("negative"))
    deltas = bake(entry, linear_layers(toy_model.unet, list(entry.vector.sites)))
    unbiased = {site: replace(delta, bias=torch.zeros_like(delta.bias)) for site, delta in deltas.items()}
    by_hook = steered(toy_model, entry)
    with merged(toy_model.unet, unbiased):
        assert (outputs(toy_model) - by_hook).abs().max() > 100 * SAME


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_afterwards_every_bit_of_the_weights_is_as_before(toy_model, error):
    before = {name: value.clone() for name, value in toy_model.unet.state_dict().items()}
    deltas = bake(
        Entry(vector_for(toy_model), 2.5, linear()),
        linear_layers(toy_model.unet, [Site.parse(name) for name in EVERYWHERE]),
    )
    with pytest.raises(error), merged(toy_model.unet, deltas):
        assert any(not torch.equal(before[name], value) for name, value in toy_model.unet.state_dict().items())
        raise error
    assert all(torch.equal(before[name], value) for name, value in toy_model.unet.state_dict().items())


def test_the_merged_form_computes_exactly_as_much_as_the_plain_model(toy_model):
    entry = Entry(vector_for(toy_model), 1.5, linear())
    deltas = bake(entry, linear_layers(toy_model.unet, list(entry.vector.sites)))
    counts = {}
    for name, run in (
        ("plain", lambda: outputs(toy_model)),
        ("merged", lambda: outputs(toy_model)),
        ("hooks", lambda: steered(toy_model, entry)),
    ):
        with merged(toy_model.unet, deltas if name == "merged" else {}), FlopCounterMode(display=False) as counter:
            run()
        counts[name] = counter.get_total_flops()
    assert counts["merged"] == counts["plain"]
    assert counts["hooks"] > counts["plain"]


OBSTACLES = {
    "differ from step to step": lambda e, m: replace(e, vector=vector_for(m, knots=3)),
    "in5.resnet does not end in a linear layer": lambda e, m: replace(
        e, vector=vector_for(m, ("in5.resnet", *EVERYWHERE))
    ),
    "in4.attn1 are steered at some noise levels only": lambda e, m: replace(e, vector=at_some_levels(e.vector)),
    "gate 'positive'": lambda e, m: replace(e, settings=EditSettings("zero", "positive", False, "both")),
    "only the prompt's half": lambda e, m: replace(e, settings=EditSettings("zero", "all", False, "cond")),
    "keep their length": lambda e, m: replace(e, settings=EditSettings("zero", "all", True, "both")),
    "part of the schedule": lambda e, m: replace(e, window=(10.0, 1.0)),
    "part of the picture": lambda e, m: replace(e, mask=torch.ones(1, 8, 8)),
}


def at_some_levels(vector):
    site = next(iter(vector.sites))
    return replace(
        vector, sites={**vector.sites, site: replace(vector.sites[site], active=torch.tensor([True, True, False]))}
    )


def test_a_target_is_made_constant_as_well(toy_model):
    """At the shared sites that end in a linear layer, from all its noise levels, steered itself or not."""
    target = vector_for(toy_model, ("in5.resnet", *EVERYWHERE), knots=3, seed=1)
    never = {site: replace(part, active=torch.zeros_like(part.active)) for site, part in target.sites.items()}
    entry = Entry(vector_for(toy_model), 1.5, linear(), mode="replace", target=replace(target, sites=never))
    (found,) = obstacles(entry)
    assert "differ from step to step" in found
    nearest = linearised(entry)
    assert obstacles(nearest) == []
    for site, part in nearest.target.sites.items():
        expected = target.sites[site].displacement.mean(0)
        torch.testing.assert_close(part.displacement[0], expected, atol=1e-5, rtol=0)  # float32 over three steps
    by_hook = steered(toy_model, nearest)
    torch.testing.assert_close(with_lora(toy_model, nearest), by_hook, atol=SAME, rtol=SAME)


def test_a_gap_counts_from_the_steered_picture_in_steps_of_the_change():
    plain, steered_to = torch.zeros(4), torch.tensor([0.0, 2.0, 0.0, 2.0])
    for baked, gap in ((steered_to, 0.0), (plain, 1.0), (steered_to / 2, 0.5), (-steered_to, 2.0)):
        assert relative_gap(plain, steered_to, baked) == pytest.approx(gap)
    with pytest.raises(ValueError, match="steering changed nothing"):
        relative_gap(plain, plain, plain)


def test_a_layer_without_bias_is_refused(toy_model):
    (site,) = (Site.parse("in5.attn2"),)
    layer = toy_model.sites()[site]
    bias, layer.bias = layer.bias, None
    try:
        with pytest.raises(ValueError, match="without bias"):
            linear_layers(toy_model.unet, [site])
    finally:
        layer.bias = bias


@pytest.mark.parametrize("reason", OBSTACLES)
def test_what_a_lora_cannot_hold_is_refused_with_the_reason_and_can_be_approximated(toy_model, reason):
    exact = Entry(vector_for(toy_model), 1.5, linear())
    assert obstacles(exact) == []
    entry = OBSTACLES[reason](exact, toy_model)
    (found,) = obstacles(entry)
    assert reason in found
    layers = linear_layers(toy_model.unet, [site for site in toy_model.sites() if site.kind in LINEAR])
    with pytest.raises(ValueError, match="a LoRA cannot hold this"):
        bake(entry, layers)
    nearest = linearised(entry)
    assert obstacles(nearest) == []
    assert set(bake(nearest, layers)) == {site for site in entry.vector.sites if site.kind in LINEAR}
    assert nearest.strength == entry.strength


def test_a_constant_vector_is_its_own_average(toy_model):
    vector = vector_for(toy_model, rank=2)
    again = constant(vector)
    for site, part in vector.sites.items():
        assert torch.equal(again.sites[site].direction, part.direction)
    with pytest.raises(ValueError, match="a LoRA cannot hold a vector at resnet"):
        constant(vector_for(toy_model, ("in5.resnet",)))


def test_steps_that_agree_average_to_what_they_agree_on(toy_model):
    one = vector_for(toy_model, rank=2)
    sites = {
        site: SiteVector(
            part.direction.expand(3, -1, -1),
            part.negative_mean.expand(3, -1),
            part.difference.expand(3, -1),
            part.active,
        )
        for site, part in one.sites.items()
    }
    averaged = constant(SteeringVector(sites, SIGMAS, SIGMAS))
    for site, part in one.sites.items():
        other = averaged.sites[site]
        torch.testing.assert_close(other.direction[:, 0], part.direction[:, 0], atol=1e-6, rtol=0)  # float32 SVD
        torch.testing.assert_close(
            other.direction.mT @ other.direction, part.direction.mT @ part.direction, atol=1e-6, rtol=0
        )
        torch.testing.assert_close(other.displacement, part.displacement, atol=1e-5, rtol=0)


def test_a_site_that_the_model_lacks_is_refused(toy_model):
    with pytest.raises(ValueError, match=r"lacks in11\.attn2"):
        linear_layers(toy_model.unet, [Site.parse("in11.attn2")])


def test_a_lora_leaves_out_what_steering_leaves_out(toy_model, hooks_left):
    """Where γ lies within its standard error nothing is added, so a LoRA adds nothing there either."""
    vector = vector_for(toy_model)
    first, *others = vector.sites
    unsure = replace(vector.sites[first], certainty=torch.tensor([0.5]))
    entry = Entry(replace(vector, sites={**vector.sites, first: unsure}), 1.5, linear(), mode="add")
    everywhere = Entry(vector, 1.5, linear(), mode="add")
    assert (with_lora(toy_model, entry) - with_lora(toy_model, everywhere)).abs().max() > 100 * SAME
    assert list(bake(entry, linear_layers(toy_model.unet, list(vector.sites)))) == others
    torch.testing.assert_close(with_lora(toy_model, entry), steered(toy_model, entry), atol=SAME, rtol=SAME)
