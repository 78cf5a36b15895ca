"""SD 1.5 at full size with random weights, in both layouts: everything but the look of its pictures."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from steering.activations.capture import capture
from steering.concepts.pairs import Pair
from steering.interventions.steer import steer
from steering.models.loading import SD15, load_model
from steering.models.sampling import CaptureSettings
from steering.sites import SD15_SITES, module_width
from steering.vectors.build import build

pytestmark = pytest.mark.slow

# Widths of the 22 residual blocks and of the 16 transformers, in order of execution, as published.
RESNETS = [320, 320, 640, 640] + [1280] * 12 + [640] * 3 + [320] * 3
TRANSFORMERS = [320, 320, 640, 640, 1280, 1280, 1280, 1280, 1280, 1280, 640, 640, 640, 320, 320, 320]

UNET_RULES = (
    (r"time_embedding\.linear_1", "time_embed.0"),
    (r"time_embedding\.linear_2", "time_embed.2"),
    (r"conv_in\.", "input_blocks.0.0."),
    (r"conv_norm_out\.", "out.0."),
    (r"conv_out\.", "out.2."),
    (r"down_blocks\.(\d)\.resnets\.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.0"),
    (r"down_blocks\.(\d)\.attentions\.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.1"),
    (r"down_blocks\.(\d)\.downsamplers\.0\.conv", lambda m: f"input_blocks.{3 * int(m[1]) + 3}.0.op"),
    (r"mid_block\.resnets\.(\d)", lambda m: f"middle_block.{2 * int(m[1])}"),
    (r"mid_block\.attentions\.0", "middle_block.1"),
    (r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.0"),
    (r"up_blocks\.(\d)\.attentions\.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.1"),
    (r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"output_blocks.{3 * int(m[1]) + 2}.{1 if m[1] == '0' else 2}"),
)
RESNET_PARTS = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}


def ldm_unet_name(name):
    for pattern, replacement in UNET_RULES:
        new = re.sub(f"^{pattern}", replacement, name)
        if new != name:
            break
    if "resnets" in name:
        head, part, kind = new.rsplit(".", 2)
        new = f"{head}.{RESNET_PARTS[part]}.{kind}"
    return f"model.diffusion_model.{new}"


def ldm_vae_name(name):
    name = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.(\d)", r"encoder.down.\1.block.\2", name)
    name = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample", name)
    name = re.sub(
        r"decoder\.up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"decoder.up.{3 - int(m[1])}.block.{m[2]}", name
    )
    name = re.sub(r"decoder\.up_blocks\.(\d)\.upsamplers\.0", lambda m: f"decoder.up.{3 - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("conv_norm_out", "norm_out")
    for ours, theirs in (("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
        name = name.replace(f"attn_1.{ours}.", f"attn_1.{theirs}.")
    return "first_stage_model." + name.replace("conv_shortcut", "nin_shortcut")


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    """A diffusers folder and a single checkpoint file with the same random weights in float16."""
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("sd15")
    torch.manual_seed(0)
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_config(AutoencoderKL.load_config(SD15 / "vae")),
        text_encoder=CLIPTextModel(CLIPTextConfig.from_pretrained(SD15 / "text_encoder")),
        tokenizer=CLIPTokenizer.from_pretrained(SD15 / "tokenizer"),
        unet=UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(SD15 / "unet")),
        scheduler=EulerDiscreteScheduler.from_pretrained(SD15 / "scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).to(dtype=torch.float16)
    pipeline.save_pretrained(folder / "folder")
    state = {ldm_unet_name(name): value for name, value in pipeline.unet.state_dict().items()}
    for name, value in pipeline.vae.state_dict().items():
        linear = "attentions" in name and value.ndim == 2
        state[ldm_vae_name(name)] = value[:, :, None, None] if linear else value
    for name, value in pipeline.text_encoder.state_dict().items():
        stem = name.removeprefix("text_model.")
        state[f"cond_stage_model.transformer.text_model.{stem}"] = value
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "one.safetensors")
    return folder


@pytest.fixture(scope="module", params=["folder", "one.safetensors"])
def model(request, layouts, monkeypatch_offline):
    return load_model(str(layouts / request.param), device="cpu", dtype=torch.float32)


@pytest.fixture(scope="module")
def monkeypatch_offline():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


def test_it_has_the_70_sites_at_their_widths(model):
    sites = model.sites()
    assert tuple(sites) == SD15_SITES
    assert [module_width(m, "resnet") for s, m in sites.items() if s.kind == "resnet"] == RESNETS
    for kind in ("attn1", "attn2", "ff"):
        assert [module_width(m, kind) for s, m in sites.items() if s.kind == kind] == TRANSFORMERS
    assert (model.family, model.prediction, model.size) == ("sd15", "epsilon", 512)


def test_it_captures_steers_and_strength_zero_is_bit_identical(model):
    pairs = [Pair(f"a dog {i}", f"a cat {i}") for i in range(2)]
    settings = CaptureSettings(steps=1, guidance=1.0, size=64, batch=2)
    activations = capture(model, pairs, settings=settings)
    assert len(activations.tensors) == 70
    vector = build(activations, top_k=5)
    plain = model.generate("a dog", steps=1, size=64)
    assert plain.shape == (1, 64, 64, 3)
    with steer(model, vector, strength=0.0, preset="projection"):
        assert np.array_equal(model.generate("a dog", steps=1, size=64), plain)
    latents = {}
    for strength in (0.0, 2.5):
        with steer(model, vector, strength=strength, preset="projection"):
            context = model.encode(["a dog"])
            latents[strength] = model.denoise(context, None, model.noise([0], 64), 1, 1.0)
    assert not torch.equal(latents[0.0], latents[2.5])


def test_both_layouts_are_the_same_model(layouts, monkeypatch_offline):
    results = []
    for name in ("folder", "one.safetensors"):
        model = load_model(str(layouts / name), device="cpu", dtype=torch.float32)
        results.append((model.weights_hash(), model.encode(["a dog"]), model.generate("a dog", steps=1, size=64)))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])
    assert np.array_equal(results[0][2], results[1][2])


def test_the_whole_study_runs_on_a_single_checkpoint(layouts, tmp_path):
    small = ["--quick", "--prompts", "2", "--steps", "2", "--size", "64", "--pairs", "2", "--k", "1,3"]
    words = ["study", str(layouts / "one.safetensors"), "--concepts", "dog,nudity", "--out", str(tmp_path / "out")]
    words += [*small, "--clip", "pocket"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "steering", *words, "--device", "cpu", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert results["model"]["family"] == "sd15"
    assert results["presence"] == "zero-shot CLIP"
    for name, part in results["concepts"].items():
        assert part["arms"]["strength_0"]["identical"], name
        assert not part["arms"]["study_k3"]["identical"], name
    assert "nudity: what holds" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
