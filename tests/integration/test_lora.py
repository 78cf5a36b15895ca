"""An exported LoRA, loaded by ComfyUI's own nodes, does what Apply Steering does."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from steering.activations.capture import capture
from steering.concepts.pairs import load_pairs
from steering.files import read_header
from steering.models.sampling import CaptureSettings
from steering.vectors.build import build

from .conftest import SAME, STEPS, gap, outputs


@pytest.fixture(scope="module")
def constant(headless):
    """A vector that a LoRA can hold, at all three kinds of site that end in a linear layer."""
    settings = CaptureSettings(steps=STEPS, size=64, batch=5)
    activations = capture(
        headless.model, load_pairs("pocket/dog")[:5], sites="attn2,in4.attn1,out5.ff,out7.attn1", settings=settings
    )
    sites = "in4.attn1,in5.attn2,mid.attn2,out5.ff,out7.attn1,out7.attn2"
    return build(activations, select_by=sites, time="constant")


@pytest.fixture
def loras(comfy, tmp_path, monkeypatch):
    import folder_paths

    monkeypatch.setitem(folder_paths.folder_names_and_paths, "loras", ([str(tmp_path)], {".safetensors"}))
    return tmp_path


def export(
    comfy, graph, vector, strength, model=None, reference="negative", name="mine", file_format="comfyui", **more
):
    options = comfy.SteeringOptions.execute(reference, "all", False, "both").args[0]
    arguments = (model or graph.model, graph.bring(vector), strength, "lora", "suppress", file_format, name, False)
    return comfy.SteeringExportLora.execute(*arguments, options=options, **more).args


def by_hook(graph, comfy, vector, strength, reference="negative", half="both", **more):
    options = comfy.SteeringOptions.execute(reference, "all", False, half).args[0]
    return graph.apply(vector, strength, options=options, **more)


def with_lora(comfy, model, lora):
    """By Load LoRA Model."""
    return outputs(comfy.LoraModelLoader, model=model, lora=lora, strength_model=1.0)[0]


@pytest.mark.parametrize("reference", ["zero", "negative"])
@pytest.mark.parametrize("strength", [0.5, 1.0, 2.5])
def test_the_stock_loaders_draw_what_the_hook_draws(comfy, graph, constant, loras, strength, reference):
    plain, steered = graph.sample(), graph.sample(by_hook(graph, comfy, constant, strength, reference))
    assert gap(steered, plain) > 10 * SAME
    lora, path, report = export(comfy, graph, constant, strength, reference=reference)
    assert report == "exact, 6 layers"
    # The object, through Load LoRA Model.
    loaded = with_lora(comfy, graph.model, lora)
    assert gap(graph.sample(loaded), steered) < SAME
    # The file, through Load LoRA (Model Only), as half of it twice.
    assert set(load_file(path)) == set(lora)
    half = comfy.LoraLoaderModelOnly().load_lora_model_only(graph.model, "mine.safetensors", 0.5)[0]
    twice = comfy.LoraLoaderModelOnly().load_lora_model_only(half, "mine.safetensors", 0.5)[0]
    assert gap(graph.sample(twice), steered) < SAME
    assert torch.equal(graph.sample(), plain)


def test_without_its_bias_something_is_missing(comfy, graph, constant, loras):
    """What A1111 draws."""
    steered = graph.sample(by_hook(graph, comfy, constant, 1.0))
    lora = export(comfy, graph, constant, 1.0)[0]
    unbiased = {name: value for name, value in lora.items() if not name.endswith("diff_b")}
    loaded = with_lora(comfy, graph.model, unbiased)
    assert gap(graph.sample(loaded), steered) > 10 * SAME


def test_beside_another_lora_it_is_exact_for_the_model_given(comfy, graph, constant, loras):
    other = graph.model.clone()
    name = "diffusion_model.input_blocks.5.1.transformer_blocks.0.attn2.to_out.0"
    state = graph.model.model_state_dict()
    patches = {f"{name}.{part}": ("diff", (torch.randn(state[f"{name}.{part}"].shape),)) for part in ("weight", "bias")}
    assert len(other.add_patches(patches, 1.0)) == 2
    steered = graph.sample(by_hook(graph, comfy, constant, 1.5, model=other))
    for given, exact in ((other, True), (graph.model, False)):
        lora = export(comfy, graph, constant, 1.5, model=given, name=f"beside_{exact}")[0]
        loaded = with_lora(comfy, other, lora)
        assert (gap(graph.sample(loaded), steered) < SAME) == exact
    # A model whose patches lie in the weights at the moment is read as it was without them.
    graph.sample(other)
    lora = export(comfy, graph, constant, 1.5, name="clean")[0]
    loaded = with_lora(comfy, graph.model, lora)
    assert gap(graph.sample(loaded), graph.sample(by_hook(graph, comfy, constant, 1.5))) < SAME


def test_lora_hooks_schedule_it_and_keep_it_to_the_prompt(comfy, graph, constant, loras):
    """Create Hook LoRA on the positive prompt is half 'cond', and its keyframes are a window."""
    export(comfy, graph, constant, 1.5)
    hooks = comfy.CreateHookLoraModelOnly().create_hook_model_only(lora_name="mine.safetensors", strength_model=1.0)[0]
    positive = graph.encode("a photo of a dog on the beach")
    import comfy.hooks as core

    conditioned = core.set_hooks_for_conditioning(positive, hooks)
    cond = graph.sample(by_hook(graph, comfy, constant, 1.5, half="cond"))
    both = graph.sample(by_hook(graph, comfy, constant, 1.5))
    hooked = graph.sample(positive=conditioned)
    assert gap(hooked, cond) < SAME
    assert gap(hooked, both) > 10 * SAME
    late = comfy.CreateHookKeyframe().create_hook_keyframe(strength_mult=0.0, start_percent=0.0)[0]
    late = comfy.CreateHookKeyframe().create_hook_keyframe(strength_mult=1.0, start_percent=0.5, prev_hook_kf=late)[0]
    scheduled = comfy.SetHookKeyframes().set_hook_keyframes(hooks, late)[0]
    drawn = graph.sample(positive=core.set_hooks_for_conditioning(positive, scheduled))
    window = graph.sample(by_hook(graph, comfy, constant, 1.5, half="cond", start=0.5))
    assert gap(window, cond) > 10 * SAME
    assert gap(drawn, window) < SAME


def test_what_is_not_exact_is_refused_or_approximated_with_its_gap(comfy, graph, vector, loras):
    def exported(approximate, clip=None, preset="precise"):
        arguments = (graph.model, graph.bring(vector), 1.0, preset, "suppress", "comfyui", "near", approximate)
        with torch.inference_mode():
            return comfy.SteeringExportLora.execute(*arguments, clip=clip).args

    for arguments, message in (((False,), "Turn on approximate"), ((True,), "Connect clip")):
        with pytest.raises(ValueError, match=message):
            exported(*arguments)
        assert not list(loras.iterdir())
    _, path, report = exported(True, graph.clip)
    share = float(report.split("gap ")[1].split(" ")[0])
    assert 0 < share < 1  # nearer to the steered picture than the plain one is
    assert "gate 'positive'" in report
    header = read_header(path)
    assert header["gap"] == pytest.approx(share, abs=0.005)
    assert header["weights"] == vector.metadata["model"]["weights"]


def test_names_and_formats_that_do_not_fit_are_refused(comfy, graph, constant, loras):
    site, part = next(iter(constant.sites.items()))
    small = {name: getattr(part, name)[..., :8] for name in ("negative_mean", "difference")}
    narrow = replace(constant, sites={site: replace(part, direction=torch.eye(1, 8)[None], **small)})
    for bad, message in (
        ({"name": "../x"}, "must be the name of a file"),
        ({"file_format": "gguf"}, "comfyui, diffusers"),
        ({"strength": 0.0}, "strength 0 does nothing"),
        ({"vector": narrow}, "channels here and 8 in the vector"),
    ):
        with pytest.raises(ValueError, match=message):
            export(comfy, graph, **{"vector": constant, "strength": 1.0, **bad})
    assert not list(loras.iterdir())
    for _ in range(2):
        export(comfy, graph, constant, 1.0, file_format="diffusers", name="steering/mine")
    assert sorted(path.name for path in (loras / "steering").iterdir()) == [
        "mine.safetensors",
        "mine_00002.safetensors",
    ]
