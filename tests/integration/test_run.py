"""Quick Steering, options, masks, the steering sampler with its report, sweeps and grids."""

import pytest
import torch

from steering.activations.capture import capture
from steering.concepts.pairs import load_pairs
from steering.interventions.presets import EditSettings
from steering.interventions.steer import steer
from steering.models.sampling import CaptureSettings
from steering.vectors.build import build

from .conftest import SAME, gap, internals


@pytest.fixture(scope="module")
def plain(graph):
    return graph.sample()


def test_options_replace_the_preset(comfy, graph, headless, vector):
    options = comfy.SteeringOptions.execute("negative", "all", True, "both").args[0]
    theirs = graph.sample(graph.apply(vector, 1.5, "projection", options=options))
    settings = EditSettings("negative", "all", True, "both")
    with steer(headless.model, vector, strength=1.5, settings=settings):
        ours = headless.sample()
    assert gap(theirs, ours) < SAME
    with steer(headless.model, vector, strength=1.5, preset="projection"):
        assert gap(theirs, headless.sample()) > 10 * SAME
    with pytest.raises(ValueError, match="gate 'x' is not one of"):
        comfy.SteeringOptions.execute("negative", "x", True, "both")


def test_a_mask_steers_a_part_of_the_picture(graph, headless, vector, plain):
    left = torch.zeros(1, 64, 64)
    left[..., :32] = 1
    theirs = graph.sample(graph.apply(vector, 2.5, mask=left))
    with steer(headless.model, [vector.entry(strength=2.5, preset="projection", mask=left)]):
        assert gap(theirs, headless.sample()) < SAME
    assert gap(theirs, plain) > 10 * SAME
    assert torch.equal(graph.sample(graph.apply(vector, 2.5, mask=torch.zeros(1, 64, 64))), plain)
    flat = graph.sample(graph.apply(vector, 2.5, mask=left[0]))  # [H, W], as some nodes give it
    assert torch.equal(flat, theirs)


def test_a_mask_under_an_area_condition_is_refused(graph, vector):
    positive = [[graph.encode("a dog")[0][0], {"area": (4, 4, 0, 0), "strength": 1.0}]]
    mask = torch.ones(1, 64, 64)
    plain = graph.sample(positive=positive)
    assert gap(graph.sample(graph.apply(vector, 2.5), positive=positive), plain) > 10 * SAME
    assert torch.equal(graph.sample(graph.apply(vector, 0.0), positive=positive), plain)
    with pytest.raises(ValueError, match="area condition"):
        graph.sample(graph.apply(vector, 2.5, mask=mask), positive=positive)


def test_the_steering_sampler_makes_the_same_picture_and_notes_what_it_did(comfy, graph, vector):
    steered = graph.apply(vector, 1.5)
    latent, run = sample(comfy, graph, steered)
    assert torch.equal(latent, graph.sample(steered))
    assert {str(seen.site) for seen in run.observations} == {str(site) for site in vector.sites}
    for seen in run.observations:
        assert seen.touched == 1.0  # preset projection moves every token
        assert seen.after == pytest.approx((1 - 1.5) * seen.before, abs=1e-3)  # s' = s - λ s
    report, picture = comfy.SteeringReport.execute(run).args
    assert f"{len(vector.sites)} of {len(vector.sites)} sites" in report
    assert picture.std() > 0.02


def test_what_the_report_says_of_runs_without_steering(comfy, graph, vector, plain):
    def report(model, **options):
        latent, run = sample(comfy, graph, model, **options)
        text, picture = comfy.SteeringReport.execute(run).args
        assert picture.isfinite().all()
        return latent, text

    latent, text = report(graph.model)
    assert torch.equal(latent, plain)
    assert "not steered" in text
    latent, text = report(graph.apply(vector, 0.0))
    assert torch.equal(latent, plain)
    assert "strength 0" in text
    _, text = report(graph.apply(vector, 1.0, start=0.0, end=0.1), denoise=0.5)
    assert "outside this run" in text
    _, text = report(graph.apply(vector, 1.0), denoise=0.0)
    assert "no steps" in text


def test_a_strength_that_hits_no_site_is_an_error(comfy, graph, vector):
    from dataclasses import replace

    first = torch.arange(len(vector.active_sigmas)) == 0
    sites = {site: replace(part, active=first) for site, part in vector.sites.items()}
    with pytest.raises(ValueError, match="hit no site"):  # the run begins where the vector has ended
        sample(comfy, graph, graph.apply(replace(vector, sites=sites), 1.0), denoise=0.3)


def sample(comfy, graph, model, denoise=1.0):
    latent = comfy.EmptyLatentImage().generate(64, 64, 1)[0]
    prompts = graph.encode("a photo of a dog on the beach"), graph.encode("")
    with torch.inference_mode():
        out, run = comfy.SteeringKSampler.execute(model, 7, 4, 3.0, "euler", "normal", *prompts, latent, denoise).args
    return out["samples"].clone(), run


def test_a_sweep_is_one_model_a_strength(comfy, graph, vector, plain):
    models, labels = comfy.SteeringSweep.execute(graph.model, graph.bring(vector), "0, 1.5;-1\n2", "projection").args
    assert labels == ["strength 0", "strength 1.5", "strength -1", "strength 2"]
    assert torch.equal(graph.sample(models[0]), plain)
    assert torch.equal(graph.sample(models[1]), graph.sample(graph.apply(vector, 1.5)))
    for bad in ("", "one", "1, nan", "1 2 x"):
        with pytest.raises(ValueError, match="numbers separated by commas"):
            comfy.SteeringSweep.execute(graph.model, graph.bring(vector), bad, "projection")


def test_a_grid_holds_every_picture_under_its_label(comfy):
    images = [torch.full((1, 64, 64, 3), value) for value in (0.0, 0.5, 1.0)]
    grid = comfy.SteeringLabelledGrid.execute(images, ["a", "b", "c"], [2]).args[0]
    assert grid.shape[0] == 1
    assert grid.shape[1] > 128
    assert grid.shape[2] > 128
    with pytest.raises(ValueError, match="labels do not fit"):
        comfy.SteeringLabelledGrid.execute(images, ["a"], [2])
    with pytest.raises(ValueError, match="2 sizes"):
        comfy.SteeringLabelledGrid.execute([images[0], torch.zeros(1, 32, 32, 3)], ["a", "b"], [2])


def test_a_saved_vector_steers_as_before_and_never_overwrites(comfy, graph, vector, tmp_path, monkeypatch):
    import folder_paths

    monkeypatch.setitem(folder_paths.folder_names_and_paths, "steering_vectors", ([str(tmp_path)], {".safetensors"}))
    mine = graph.bring(vector)
    passed, first = comfy.SteeringSaveVector.execute(mine, "dogs/mine").args
    second = comfy.SteeringSaveVector.execute(mine, "dogs/mine").args[1]
    assert passed is mine
    assert [path.rsplit("/", 1)[1] for path in (first, second)] == ["mine.safetensors", "mine_00002.safetensors"]
    loaded = comfy.SteeringLoadVector.execute("dogs/mine_00002.safetensors").args[0]
    steered = comfy.SteeringApply.execute(graph.model, loaded, 1.5, "projection", "suppress", 0.0, 1.0).args[0]
    assert torch.equal(graph.sample(steered), graph.sample(graph.apply(vector, 1.5)))
    for bad in ("../mine", "/tmp/mine", "\\tmp\\mine", "a/b:c", ".", "dogs/.", "", "dogs/", "a|b", "<x>", "a\nb"):
        with pytest.raises(ValueError, match="must be the name of a file"):
            comfy.SteeringSaveVector.execute(mine, bad)
    assert len(list(tmp_path.rglob("*"))) == 3


def test_quick_steering_is_the_chain_with_defaults(comfy, graph, tmp_path, monkeypatch):
    import folder_paths

    pairs = tmp_path / "pairs"
    pairs.mkdir()
    lines = ["positive,negative", *(f"a dog {i} on the beach,a cat {i} on the beach" for i in range(3))]
    (pairs / "few.csv").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "steering_pairs", ([str(pairs)], {".csv"}))
    monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path))
    with torch.inference_mode():
        steered, vector = comfy.SteeringQuick.execute(graph.model, graph.clip, "few.csv", 1.0).args
    assert vector.metadata["concept"] == "few"
    assert [str(site) for site in vector.sites] == ["text"]
    assert gap(graph.sample(steered), graph.sample()) > SAME
    with torch.inference_mode():
        again = comfy.SteeringQuick.execute(graph.model, graph.clip, "few.csv", 0.0).args[0]
    assert torch.equal(graph.sample(again), graph.sample())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_steers_alike(graph, vector, plain, dtype):
    half = graph.model.clone()
    half.set_model_compute_dtype(dtype)
    low, steered = graph.sample(half), graph.sample(graph.apply(vector, 1.5, model=half))
    assert gap(steered, low) > 0.02
    # The steered picture is the float32 one up to the precision of the type, as the plain one is.
    assert gap(steered, graph.sample(graph.apply(vector, 1.5))) < max(3 * gap(low, plain), 0.01)


def test_an_attention_replacement_composes(graph, vector):
    """As IPAdapter does: attn2 of one block is computed by somebody else."""

    def other(q, k, v, _options):
        return q + v.mean(1, keepdim=True)

    replaced = graph.model.clone()
    replaced.set_model_attn2_replace(other, "input", 4)
    both = graph.sample(graph.apply(vector, 2.0, model=replaced))
    assert not torch.equal(both, graph.sample(replaced))
    assert not torch.equal(both, graph.sample(graph.apply(vector, 2.0)))
    assert torch.equal(graph.sample(graph.apply(vector, 0.0, model=replaced)), graph.sample(replaced))


def test_a_lora_composes(graph, vector):
    lora = graph.model.clone()
    name = "diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_out.0.weight"
    shape = graph.model.model_state_dict()[name].shape
    assert lora.add_patches({name: ("diff", (0.05 * torch.randn(shape),))}, 1.0)
    plain, steered = graph.sample(lora), graph.sample(graph.apply(vector, 2.0, model=lora))
    assert gap(steered, plain) > 10 * SAME
    assert not torch.equal(steered, graph.sample(graph.apply(vector, 2.0)))
    assert torch.equal(graph.sample(graph.apply(vector, 0.0, model=lora)), plain)


def as_comfyui_compiles(model):
    """A clone, compiled as TorchCompileModel does it, but without a backend that makes machine code."""
    from comfy_api.torch_helpers import set_torch_compile_wrapper
    from comfy_extras import nodes_torch_compile

    clone = model.clone()
    leave_out = getattr(nodes_torch_compile, "skip_torch_compile_dict", None)  # newer ones forget all options
    options = {"guard_filter_fn": leave_out} if leave_out else None
    set_torch_compile_wrapper(clone, backend="eager", options=options)
    return clone


def test_a_compiled_model_steers_alike(graph, vector):
    """Whichever node comes first, and even after the unsteered model was compiled and ran."""
    torch._dynamo.reset()
    steered, other, plain = graph.apply(vector, 1.5), graph.apply(vector, 0.5), graph.sample()
    assert gap(graph.sample(steered), plain) > 10 * SAME
    assert gap(graph.sample(steered), graph.sample(other)) > 10 * SAME
    first = as_comfyui_compiles(graph.model)
    assert gap(graph.sample(first), plain) < SAME
    assert gap(graph.sample(as_comfyui_compiles(steered)), graph.sample(steered)) < SAME
    assert gap(graph.sample(graph.apply(vector, 0.5, model=first)), graph.sample(other)) < SAME
    assert gap(graph.sample(first), plain) < SAME
    torch._dynamo.reset()


def spied(graph, monkeypatch):
    """The chunks of every UNet call, and which rows were taken for prompts."""
    module = internals(graph.comfy)
    seen, real = [], module.describe

    def describe(x, options, masks=0):
        call = real(x, options, masks)
        seen.append((list(options["cond_or_uncond"]), call.conditional))
        return call

    monkeypatch.setattr(module, "describe", describe)
    return seen


def test_prompts_split_into_calls_steer_alike(graph, vector, monkeypatch):
    """Where memory is short, ComfyUI runs the two halves of guidance one after the other."""
    together = graph.sample(graph.apply(vector, 1.5))
    steered = graph.apply(vector, 1.5)
    seen = spied(graph, monkeypatch)
    monkeypatch.setattr(type(graph.model.model), "memory_required", lambda *a, **k: 1e15 if a[1][0] > 1 else 0)
    assert gap(graph.sample(steered), together) < SAME
    assert {str(call) for call in seen} == {"([1], (False,))", "([0], (True,))"}


def test_two_prompts_of_dual_guidance_are_steered_and_the_negative_is_not(comfy, graph, vector, monkeypatch):
    """DualCFGGuider numbers its conditions the other way round: 0 is the negative prompt."""
    seen = spied(graph, monkeypatch)
    dog, cat, nothing = (graph.encode(text) for text in ("a dog", "a cat", ""))
    steered = graph.apply(vector, 1.5)
    for style in ("regular", "nested"):
        guider = comfy.DualCFGGuider().get_guider(steered, dog, cat, nothing, 3.0, 2.0, style)[0]
        latent = comfy.EmptyLatentImage().generate(64, 64, 1)[0]
        sigmas = comfy.BasicScheduler().get_sigmas(steered, "normal", 4, 1.0)[0]
        noise = comfy.RandomNoise().get_noise(7)[0]
        sampler = comfy.KSamplerSelect().get_sampler("euler")[0]
        with torch.inference_mode():
            comfy.SamplerCustomAdvanced().sample(noise, guider, sampler, sigmas, latent)
    rows = {(chunk, flag) for chunks, flags in seen for chunk, flag in zip(chunks, flags, strict=True)}
    assert rows == {(0, False), (1, True), (2, True)}


def test_a_second_look_at_the_negative_prompt_is_not_taken_for_the_prompt(graph, vector, monkeypatch):
    """Self-Attention Guidance runs the negative prompt alone once more, as number 0."""
    from comfy.samplers import calc_cond_batch

    def look_again(said):
        calc_cond_batch(said["model"], [said["uncond"]], said["input"], said["sigma"], said["model_options"])
        return said["denoised"]

    seen = spied(graph, monkeypatch)
    guided = graph.apply(vector, 1.5)
    guided.set_model_sampler_post_cfg_function(look_again)
    assert torch.equal(graph.sample(guided), graph.sample(graph.apply(vector, 1.5)))
    alone = [flags for chunks, flags in seen if chunks == [0]]
    assert len(alone) == 4
    assert not any(flag for flags in alone for flag in flags)


def test_tiles_of_another_pack_are_refused_with_a_sentence(comfy, graph, headless):
    settings = CaptureSettings(steps=4, size=64, batch=2)
    self_attention = build(
        capture(headless.model, load_pairs("pocket/dog")[:2], sites="attn1", settings=settings), select_by="attn1"
    )
    tiled = comfy.HyperTile.execute(graph.model, 32, 2, 0, False)[0]
    with pytest.raises(RuntimeError, match="HyperTile"):
        graph.sample(graph.apply(self_attention, 1.5, model=tiled))


def test_vectors_under_one_mask_act_together(graph, vector):
    """One of two equal directions is dropped, which needs both to be in one group."""
    mask = torch.ones(1, 64, 64)
    once = graph.apply(vector, 1.0, mask=mask)
    with pytest.warns(UserWarning, match="already"):
        graph.sample(graph.apply(vector, 1.0, model=once, mask=mask))


@pytest.mark.parametrize(
    ("node", "inputs"),
    [
        ("SteeringLoadVector", {"vector_name": "sd15_dog.safetensors"}),
        ("SteeringLoadActivations", {"file_name": "../x.safetensors"}),
        ("SteeringLoadPairs", {"concept": "unicorn"}),
    ],
)
def test_a_missing_file_is_refused_before_anything_runs(comfy, node, inputs):
    import asyncio

    import execution

    graph = {"1": {"class_type": node, "inputs": inputs}, "2": preview(("1", 1))}
    valid, _, _, errors = asyncio.run(execution.validate_prompt("test", graph, None))
    assert not valid
    details = errors["1"]["errors"][0]["details"]
    assert "run workflow 03" in details or "must be the name of a file" in details or "built-in concepts" in details


def preview(source):
    return {"class_type": "PreviewAny", "inputs": {"source": list(source)}}
