"""Stable Diffusion 1, 2 and XL, narrow, from a diffusers folder and from a single checkpoint: one code for all."""

import numpy as np
import pytest
import torch

from steering import families
from steering.activations.capture import capture
from steering.concepts.pairs import Pair
from steering.interventions.steer import steer
from steering.lora.bake import bake, linear_layers, merged
from steering.models.loading import load_model
from steering.models.sampling import CaptureSettings
from steering.models.text import chunks
from steering.sites import TEXT
from steering.vectors.build import build

from .narrow import UNETS, narrow_pipeline, write

SITES = {"sd15": 70, "sd2": 70, "sdxl": 227}
PAIRS = [Pair("a dog in the snow", "a cat in the snow"), Pair("a dog on a hill", "a fox on a hill")]


pytestmark = pytest.mark.usefixtures("rows")


@pytest.fixture(scope="module", params=list(UNETS))
def family(request, rows):
    """A family's name, whose model lies in both layouts."""
    write(request.param, rows / request.param)
    return request.param


@pytest.fixture(scope="module", params=["folder", "one.safetensors"])
def model(request, family, rows):
    return load_model(str(rows / family / request.param), "cpu")


def test_it_is_known_with_all_its_sites(model, family):
    blocks = [site for site in model.sites() if site != TEXT]
    assert (model.family, model.size) == (family, 64)
    assert model.prediction == ("v_prediction" if family == "sd2" else "epsilon")
    assert len(blocks) == SITES[family]
    row = families.family_named(family)
    assert len(blocks) == 3 * row.transformers + row.resnets


def test_both_layouts_are_the_same_model(family, rows):
    first, second = (load_model(str(rows / family / name), "cpu") for name in ("folder", "one.safetensors"))
    assert first.digest() == second.digest()
    pictures = [model.generate("a (dog:1.3)", steps=2).astype(int) for model in (first, second)]
    assert abs(pictures[0] - pictures[1]).max() <= 1  # weights lie elsewhere in memory, so sums may round otherwise


def test_it_captures_and_strength_zero_is_bit_identical(model, family):
    settings = CaptureSettings(steps=2, batch=2)
    activations = capture(model, PAIRS, settings=settings)
    assert len(activations.tensors) == SITES[family]
    vector = build(activations, top_k=5)
    plain = model.generate("a dog", steps=2)
    with steer(model, vector, strength=0.0, preset="projection"):
        assert np.array_equal(model.generate("a dog", steps=2), plain)
    with steer(model, vector, strength=50.0, preset="projection"):
        assert not np.array_equal(model.generate("a dog", steps=2), plain)
    assert np.array_equal(model.generate("a dog", steps=2), plain)


def test_a_lora_is_the_steering_that_it_was_made_of(model):
    activations = capture(model, PAIRS, sites="attn1,attn2,ff", settings=CaptureSettings(steps=2))
    chosen = "in4.attn2,mid.attn1,mid.ff,out3.attn2"
    entry = build(activations, select_by=chosen, time="constant").entry(strength=3.0, preset="lora")
    x, sigma, words = model.noise([0, 1], 64), 5.0, model.encode(["a dog", "a cat"])
    deltas = bake(entry, linear_layers(model.unet, list(entry.vector.sites)))
    with torch.no_grad():
        plain = model.guided_clean(x, sigma, words, None, 1.0)
        with steer(model, [entry]):
            steered = model.guided_clean(x, sigma, words, None, 1.0)
        with merged(model.unet, deltas):
            baked = model.guided_clean(x, sigma, words, None, 1.0)
    assert (steered - plain).abs().max() > 100 * (steered - baked).abs().max()  # float32 noise of one call


def test_a_picture_is_that_of_diffusers_own_pipeline(family, rows):
    """The same noise levels, text and size conditions: our sampling is Euler's of diffusers."""
    model = load_model(str(rows / family / "folder"), "cpu")
    pipeline = narrow_pipeline(family)
    pipeline.unet.load_state_dict(model.unet.state_dict())
    noise, first = model.noise([3], 64), float(model.sigmas(4)[0])
    same = noise * (1 + first**2) ** 0.5 / first  # diffusers begins at σ, ComfyUI and we at √(1 + σ²)
    pipeline.set_progress_bar_config(disable=True)
    # Four steps, whose timesteps are whole: diffusers tells the UNet 499.5 where we tell it 500.
    how = {"num_inference_steps": 4, "guidance_scale": 4.0, "latents": same, "output_type": "latent"}
    # Any negative prompt but the empty one, which diffusers has as zeros in SDXL and ComfyUI as its embedding.
    theirs = pipeline("a dog", negative_prompt="a cat", height=64, width=64, **how).images
    ours = model.denoise(model.encode(["a dog"]), model.encode(["a cat"]), noise, 4, 4.0)
    apart = (ours - theirs).norm() / theirs.norm()
    assert apart < 1e-3  # noise levels and four calls in float32


def test_an_exclamation_mark_is_a_letter_and_not_the_padding(model, family):
    """Padded with ``!``, a tokenizer of transformers takes it for no letter of a prompt."""
    for encoder, layer in zip(model.encoders, families.family_named(family).text_layers, strict=True):
        (chunk,) = chunks("stop!!! dog", encoder.tokenizer, encoder.padding)
        words = encoder.tokenizer(["stop", "dog"], add_special_tokens=False).input_ids
        assert [chunk.tokens[1], *chunk.tokens[3:5]] == [*words[0], *words[1], encoder.tokenizer.eos_token_id]
        assert chunk.tokens[2] != 0  # one token for "!!!", not the padding's
        padding = encoder.tokenizer.eos_token_id if encoder.module.config.hidden_act == "quick_gelu" else 0
        assert set(chunk.tokens[5:]) == {padding}, layer
    assert model.encode(["dog " * 73 + "!!!"]).context.shape[1] == 77


def test_prompts_differ_in_both_embeddings(family, rows):
    model = load_model(str(rows / family / "folder"), "cpu")
    words = model.encode(["a dog", "a cat"])
    assert words.context.shape == (2, 77, UNETS[family]["cross_attention_dim"])
    assert not torch.equal(words.context[0], words.context[1])
    if family == "sdxl":
        assert words.pooled.shape == (2, 24)
        assert not torch.equal(words.pooled[0], words.pooled[1])
        long = model.encode(["a dog" + ", a red ball" * 30])
        assert long.context.shape[1] > 77
        assert long.pooled.shape == (1, 24)
    else:
        assert words.pooled is None


def test_a_vector_of_a_model_does_on_its_fine_tune_nearly_what_the_tunes_own_does(family, rows):
    """Weights moved by two per cent, as by a fine-tune; another weights hash, the same family."""
    model, tuned = (load_model(str(rows / family / "folder"), "cpu") for _ in range(2))
    generator = torch.Generator().manual_seed(0)
    for weight in tuned.unet.parameters():
        weight.mul_(1 + 0.02 * torch.randn(weight.shape, generator=generator))
    settings = CaptureSettings(steps=2)
    made = [build(capture(one, PAIRS, sites="attn2", settings=settings), select_by="attn2") for one in (model, tuned)]
    assert made[0].metadata["model"]["weights"] != made[1].metadata["model"]["weights"]
    noise, words, nothing = tuned.noise([0, 1], 64), tuned.encode(["a dog", "a dog on a hill"]), tuned.encode([""])

    def drawn(vector, strength):
        with steer(tuned, vector, strength=strength, preset="projection"):
            return tuned.denoise(words, nothing, noise, 2, 4.0)

    plain, theirs, own = drawn(made[0], 0.0), drawn(made[0], 20.0), drawn(made[1], 20.0)
    effect = (own - plain).norm()
    assert effect > 1e-3 * plain.norm()  # there is something to carry over
    assert (theirs - own).norm() < 0.5 * effect
