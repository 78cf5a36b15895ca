from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from steering.errors import SteeringError
from steering.files import read_header
from steering.interventions.entry import Entry
from steering.interventions.presets import EditSettings
from steering.interventions.steer import steer
from steering.lora.bake import linear_layers
from steering.lora.export import gap_prompt, make_lora, measured_gap, model_card, save_lora
from steering.sites import Site, module_width
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector
from steering.version import __version__

NAMES = ("in4.attn1", "in5.attn2", "out5.ff")
# Float32 noise of a layer (1e-7), carried through the layers behind, three steps and guidance 7.5, as a share of
# the latents; steering itself moves them by several percent.
SAME = 2e-5


def vector_for(model, seed=0):
    generator, sites = torch.Generator().manual_seed(seed), {}
    for name in NAMES:
        site = Site.parse(name)
        width = module_width(model.sites()[site], site.kind)
        row = torch.nn.functional.normalize(torch.randn(1, 1, width, generator=generator), dim=-1)
        sites[site] = SiteVector(row, torch.randn(1, width, generator=generator), row[:, 0], torch.ones(3) > 0)
    sigmas = model.sigmas(3)
    return SteeringVector(sites, sigmas[1:2], sigmas, {"concept": "thing"})


def pipeline_of(model):
    """The toy model as diffusers' own pipeline; its VAE is not used."""
    diffusers = pytest.importorskip("diffusers")
    vae = diffusers.AutoencoderKL(block_out_channels=(4,), norm_num_groups=4, latent_channels=24)
    return diffusers.StableDiffusionPipeline(
        vae=vae,
        text_encoder=model.encoders[0].module,
        tokenizer=model.tokenizer,
        unet=model.unet,
        scheduler=diffusers.EulerDiscreteScheduler(steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def latents(model):
    noise = model.noise([0, 1], 64)
    return model.denoise(model.encode(["a dog", "a cat"]), model.encode([""]), noise, 3, 7.5)


def apart(a, b):
    """Root mean square difference, as a share of b's."""
    return float((a - b).square().mean().sqrt() / b.square().mean().sqrt())


@pytest.mark.parametrize("reference", ["zero", "negative"])
@pytest.mark.parametrize("strength", [0.5, 1.0, 2.5])
def test_diffusers_loads_the_file_and_draws_what_the_hook_draws(toy_model, tmp_path, strength, reference):
    pytest.importorskip("peft")
    entry = Entry(vector_for(toy_model), strength, EditSettings(reference, "all", False, "both"))
    path = tmp_path / "lora.safetensors"
    save_lora(path, "diffusers", exported(toy_model, entry), toy_model.weights_hash(), "sd15")
    plain = latents(toy_model)
    with steer(toy_model, [entry]):
        by_hook = latents(toy_model)
    pipeline = pipeline_of(toy_model)
    pipeline.load_lora_weights(str(path))
    try:
        loaded = latents(toy_model)
        pipeline.set_adapters(pipeline.get_active_adapters(), 0.0)
        off = latents(toy_model)
    finally:
        pipeline.unload_lora_weights()
    assert apart(by_hook, plain) > 100 * SAME  # there is something to miss
    assert apart(loaded, by_hook) < SAME
    assert apart(off, plain) < SAME  # weight 0 is the plain model
    assert torch.equal(latents(toy_model), plain)


def exported(model, entry, measure=None):
    return make_lora(entry, lambda sites: linear_layers(model.unet, sites), measure, "Ask for less.")


def test_the_measured_gap_is_nothing_where_exact_and_something_where_approximated(toy_model):
    vector = vector_for(toy_model)
    exact = exported(toy_model, Entry(vector, 1.5, EditSettings("negative", "all", False, "both")))
    assert exact.gap is None
    assert str(exact) == "exact, 3 layers"
    # Float32 noise as a share of what steering changed, which is some hundredths of the latents.
    none = measured_gap(toy_model, exact.entry, exact.deltas, ["a dog"], 3)
    assert none < 100 * SAME
    gated = vector.entry(strength=1.5, preset="precise")
    nearest = exported(toy_model, gated, lambda deltas: measured_gap(toy_model, gated, deltas, ["a dog"], 3))
    assert nearest.gap > 10 * max(none, 100 * SAME)
    assert "gate 'positive'" in str(nearest)
    with pytest.raises(ValueError, match=r"gate 'positive'.*Ask for less"):
        exported(toy_model, gated)
    with pytest.raises(ValueError, match="strength 0"):
        exported(toy_model, vector.entry(strength=0.0, preset="lora"))
    never = vector.entry(strength=1.5, preset="precise", window=(1e9, 1e8))
    with pytest.raises(ValueError, match="steering changed nothing"):
        exported(toy_model, never, lambda deltas: measured_gap(toy_model, never, deltas, ["a dog"], 3))


@pytest.mark.parametrize("measure", [None, lambda deltas: 0.0])
def test_a_vector_at_no_linear_layer_is_refused_at_once_with_what_to_do(toy_model, measure):
    width = module_width(toy_model.sites()[Site.parse("in4.resnet")], "resnet")
    part = SiteVector(torch.eye(1, width)[None], *(torch.ones(1, width),) * 2, torch.ones(1) > 0)
    vector = SteeringVector({Site.parse("in4.resnet"): part}, torch.ones(1), torch.ones(1))
    for preset in ("lora", "precise"):
        with pytest.raises(SteeringError, match=r"hold a vector at resnet: .* Capture these \(sites attn1,attn2,ff\)"):
            exported(toy_model, vector.entry(strength=1.0, preset=preset), measure)


def test_the_header_says_what_it_is_for(toy_model, tmp_path):
    vector, target = vector_for(toy_model), vector_for(toy_model, 1)
    entry = vector.entry(strength=1.5, preset="lora", mode="replace", target=target)
    path = tmp_path / "lora.safetensors"
    lora = replace(exported(toy_model, entry), inexact=["gate"], gap=0.25)
    about = save_lora(path, "comfyui", lora, "abc", "sd15")
    header = read_header(path)
    assert header["kind"] == "lora"
    assert {key: header[key] for key in about} == about
    assert (header["weights"], header["gap"], header["approximated"]) == ("abc", 0.25, ["gate"])
    assert header["sites"] == list(NAMES)
    assert header["vector"] != header["target_vector"] == target.digest(lengths=True)
    assert gap_prompt(entry) == "a photo of thing"


def test_the_header_says_what_the_file_does_and_what_it_was_made_from(toy_model, tmp_path):
    source, target = vector_for(toy_model), replace(vector_for(toy_model, 1), metadata={"concept": "cat"})
    entry = Entry(source, 0.5, EditSettings("negative", "all", half="both"), mode="replace", target=target)
    lora = make_lora(entry, lambda sites: linear_layers(toy_model.unet, sites), None, "")
    about = save_lora(tmp_path / "l.safetensors", "comfyui", lora, "abc", "pocket")
    assert about == {
        "concept": "thing",
        "mode": "replace",
        "target": "cat",
        "strength": 0.5,
        "reference": "negative",
        "family": "pocket",
        "format": "comfyui",
        "vector": source.digest(lengths=True),
        "target_vector": target.digest(lengths=True),
        "weights": "abc",
        "sites": list(NAMES),
        "approximated": [],
        "gap": None,
        "package": __version__,
    }
    header = read_header(tmp_path / "l.safetensors")
    assert header == {"kind": "lora", "version": 1, **about}


@pytest.mark.parametrize(
    ("family", "base", "architecture"),
    [
        ("sd15", "sd_v1-5", "stable-diffusion-v1/lora"),
        ("sd2", "sd_v2", "stable-diffusion-v2/lora"),
        ("sdxl", "sdxl_base_v1-0", "stable-diffusion-xl-v1-base/lora"),
        ("pocket", "pocket", "pocket/lora"),
    ],
)
def test_programs_that_list_loras_find_what_they_show(toy_model, tmp_path, family, base, architecture):
    entry = Entry(vector_for(toy_model), 1.5, EditSettings("negative", "all", half="both"))
    lora = make_lora(entry, lambda sites: linear_layers(toy_model.unet, sites), None, "")
    save_lora(tmp_path / "l.safetensors", "comfyui", lora, "abc", family)
    with safe_open(tmp_path / "l.safetensors", "pt") as file:
        card = file.metadata()
    expected = {
        "ss_base_model_version": base,
        "ss_v2": str(family == "sd2"),
        "ss_network_module": "networks.lora",
        "ss_network_dim": "1",
        "ss_network_alpha": "1",
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": architecture,
        "modelspec.implementation": "activation-steering",
        "modelspec.title": "suppress thing, strength 1.5",
    }
    assert {name: card[name] for name in expected} == expected


def test_the_title_names_both_concepts_of_a_replacement(toy_model):
    target = replace(vector_for(toy_model, 1), metadata={"concept": "cat"})
    settings = EditSettings("negative", "all", half="both")
    entry = Entry(vector_for(toy_model), 1.0, settings, mode="replace", target=target)
    lora = make_lora(entry, lambda sites: linear_layers(toy_model.unet, sites), None, "")
    about = {"mode": "replace", "concept": "thing", "target": "cat", "strength": 1.0}
    title = model_card(about, lora.deltas, "pocket")["modelspec.title"]
    assert title == "replace thing with cat, strength 1"
