"""SD 1.5, SD 2.1 and SDXL at full size with random weights, in both layouts: all but the look of their pictures."""

import gc
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from steering.activations.capture import capture
from steering.concepts.pairs import Pair
from steering.families import family_named
from steering.interventions.steer import steer
from steering.lora.bake import bake, linear_layers, merged
from steering.models.loading import CONFIGURATIONS, SD15, load_model
from steering.models.sampling import CaptureSettings
from steering.sites import TEXT, module_width
from steering.vectors.build import build

from .ldm_layout import save_checkpoint

pytestmark = pytest.mark.slow

FIRST = (
    [320, 320, 640, 640] + [1280] * 12 + [640] * 3 + [320] * 3,
    [320, 320, 640, 640, 1280, 1280, 1280, 1280, 1280, 1280, 640, 640, 640, 320, 320, 320],
)
WIDTHS = {
    # Of the residual blocks and of the transformers' places, in order of execution, as published.
    "sd15": FIRST,
    "sd2": FIRST,
    "sdxl": (
        [320, 320, 640, 640] + [1280] * 7 + [640] * 3 + [320] * 3,
        [640] * 4 + [1280] * 20 + [1280] * 10 + [1280] * 30 + [640] * 6,
    ),
}
PARAMETERS = {"sd15": 859_520_964, "sd2": 865_910_724, "sdxl": 2_567_463_684}
"""Of the UNets, as published."""


def filled(module, generator):
    """A module made without memory, with random weights in bfloat16 of a size that keeps signals alive."""
    module = module.to(torch.bfloat16).to_empty(device="cpu")
    for name, value in module.named_parameters():
        if value.ndim == 1:
            value.data.fill_(float("norm" in name and name.endswith("weight")))
        else:
            value.data.normal_(std=value[0].numel() ** -0.5, generator=generator)
    for value in module.buffers():
        value.data.copy_(torch.arange(value.numel()).reshape(value.shape))  # positions of tokens
    return module.requires_grad_(False)


def pipeline_of(name):
    from diffusers import (
        AutoencoderKL,
        EulerDiscreteScheduler,
        StableDiffusionPipeline,
        StableDiffusionXLPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    place, generator, words = CONFIGURATIONS / name, torch.Generator().manual_seed(0), str(SD15 / "tokenizer")
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(place / "unet"))
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(place / "vae"))
        first = CLIPTextModel(CLIPTextConfig.from_pretrained(place / "text_encoder"))
    parts = {
        "unet": filled(unet, generator),
        "vae": filled(vae, generator),
        "text_encoder": filled(first, generator),
        "scheduler": EulerDiscreteScheduler.from_pretrained(place / "scheduler"),
    }
    if name == "sdxl":
        with torch.device("meta"):
            second = CLIPTextModelWithProjection(CLIPTextConfig.from_pretrained(place / "text_encoder_2"))
        return StableDiffusionXLPipeline(
            text_encoder_2=filled(second, generator),
            tokenizer=CLIPTokenizer.from_pretrained(words),
            tokenizer_2=CLIPTokenizer.from_pretrained(words, pad_token="!"),
            **parts,
        )
    padding = "<|endoftext|>" if name == "sd15" else "!"
    if name == "sd2":  # in its files the spread of this bias says that the model predicts v
        parts["unet"].up_blocks[3].attentions[2].transformer_blocks[0].norm1.bias.data.normal_()
    return StableDiffusionPipeline(
        tokenizer=CLIPTokenizer.from_pretrained(words, pad_token=padding),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **parts,
    )


@pytest.fixture(scope="module", params=list(WIDTHS))
def place(request, tmp_path_factory):
    """A folder and a single file with the same random weights; some fourteen gigabytes for SDXL, for a while."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        pipeline = pipeline_of(request.param)
        pipeline.save_pretrained(folder / "folder")
        save_checkpoint(pipeline, folder / "one.safetensors")
        del pipeline
        gc.collect()
        yield request.param, folder
    for file in folder.rglob("*.safetensors"):
        file.unlink()


def loaded(folder, name):
    gc.collect()
    return load_model(str(folder / name), "cpu", torch.bfloat16)


def test_both_layouts_have_all_sites_and_are_the_same_model(place):
    name, folder = place
    seen = []
    for layout in ("folder", "one.safetensors"):
        model = loaded(folder, layout)
        sites = {site: module for site, module in model.sites().items() if site != TEXT}
        row = family_named(name)
        assert (model.family, model.size, len(sites)) == (name, row.size, 3 * row.transformers + row.resnets)
        assert sum(p.numel() for p in model.unet.parameters()) == PARAMETERS[name]
        resnets, transformers = WIDTHS[name]
        assert [module_width(m, "resnet") for s, m in sites.items() if s.kind == "resnet"] == resnets
        for kind in ("attn1", "attn2", "ff"):
            assert [module_width(m, kind) for s, m in sites.items() if s.kind == kind] == transformers
        words = model.encode(["a dog"])
        seen.append((model.digest(), model.prediction, words.context, words.pooled))
        assert words.context.shape == (1, 77, row.text_width)
    assert seen[0][:2] == seen[1][:2]
    assert torch.equal(seen[0][2], seen[1][2])
    assert (seen[0][3] is None) == (name != "sdxl")


def test_it_captures_steers_and_bakes_and_strength_0_is_bit_identical(place):
    name, folder = place
    model = loaded(folder, "one.safetensors")
    pairs = [Pair("a dog", "a cat"), Pair("a dog in snow", "a cat in snow")]
    settings = CaptureSettings(steps=2, guidance=1.0, size=64, batch=1)
    activations = capture(model, pairs, settings=settings)
    assert len(activations.tensors) == {"sd15": 70, "sd2": 70, "sdxl": 227}[name]
    vector = build(activations, top_k=5)
    plain = model.generate("a dog", steps=1, size=64, guidance=1.0)
    assert plain.shape == (1, 64, 64, 3)
    with steer(model, vector, strength=0.0, preset="projection"):
        assert np.array_equal(model.generate("a dog", steps=1, size=64, guidance=1.0), plain)
    chosen = build(activations, select_by="in5.attn2,mid.attn2,out4.ff", time="constant")
    entry = chosen.entry(strength=20.0, preset="lora")
    deltas = bake(entry, linear_layers(model.unet, list(chosen.sites)))
    words, x = model.encode(["a dog"]), model.noise([0], 64)

    def seen():
        with torch.no_grad():
            return model.predict_clean(x, 5.0, words)

    before = seen()
    with steer(model.unet, [entry], schedule=model.schedule):
        steered = seen()
    with merged(model.unet, deltas):
        baked = seen()
    assert (steered - before).norm() > 4 * (steered - baked).norm()  # bfloat16 keeps eight bits of every weight
    assert torch.equal(seen(), before)


def test_the_whole_study_runs_on_a_single_checkpoint(place, tmp_path):
    name, folder = place
    if name != "sd15":
        pytest.skip("one family is enough for the study")
    small = ["--quick", "--prompts", "2", "--steps", "2", "--size", "64", "--pairs", "2", "--k", "1,3"]
    words = ["study", str(folder / "one.safetensors"), "--concepts", "dog,nudity", "--out", str(tmp_path / "out")]
    words += [*small, "--clip", "pocket"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "steering", *words, "--device", "cpu", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert results["model"]["family"] == "sd15"
    assert results["presence"] == "zero-shot CLIP"
    for concept, part in results["concepts"].items():
        assert part["arms"]["strength_0"]["identical"], concept
        assert not part["arms"]["study_k3"]["identical"], concept
    assert "nudity: what holds" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
