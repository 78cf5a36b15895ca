"""Quick Steering, options, masks, the steering sampler with its report, sweeps and grids."""

import pytest
import torch

from steering.interventions import Settings
from steering.steer import make_entry, steer

SAME = 1e-3  # as in test_apply


def gap(a, b):
    return float((a - b).square().mean().sqrt() / b.square().mean().sqrt())


@pytest.fixture(scope="module")
def plain(graph):
    return graph.sample()


def test_options_replace_the_preset(comfy, graph, headless, vector):
    options = comfy.SteeringOptions.execute("negative", "all", True, "both").args[0]
    theirs = graph.sample(graph.apply(vector, 1.5, "study", options=options))
    settings = Settings("negative", "all", True, "both")
    with steer(headless.model, vector, 1.5, settings=settings):
        ours = headless.sample()
    assert gap(theirs, ours) < SAME
    with steer(headless.model, vector, 1.5, "study"):
        assert gap(theirs, headless.sample()) > 10 * SAME
    with pytest.raises(ValueError, match="gate 'x' is not one of"):
        comfy.SteeringOptions.execute("negative", "x", True, "both")


def test_a_mask_steers_a_part_of_the_picture(graph, headless, vector, plain):
    left = torch.zeros(1, 64, 64)
    left[..., :32] = 1
    theirs = graph.sample(graph.apply(vector, 2.5, mask=left))
    with steer(headless.model, [make_entry(vector, 2.5, "study", mask=left)]):
        assert gap(theirs, headless.sample()) < SAME
    assert gap(theirs, plain) > 10 * SAME
    assert torch.equal(graph.sample(graph.apply(vector, 2.5, mask=torch.zeros(1, 64, 64))), plain)
    flat = graph.sample(graph.apply(vector, 2.5, mask=left[0]))  # [H, W], as some nodes give it
    assert torch.equal(flat, theirs)


def test_a_mask_under_an_area_condition_is_refused(graph, vector):
    positive = [[graph.encode("a dog")[0][0], {"area": (4, 4, 0, 0), "strength": 1.0}]]
    mask = torch.ones(1, 64, 64)
    assert graph.sample(graph.apply(vector, 2.5), positive=positive).isfinite().all()
    with pytest.raises(ValueError, match="area condition"):
        graph.sample(graph.apply(vector, 2.5, mask=mask), positive=positive)


def test_the_steering_sampler_makes_the_same_picture_and_notes_what_it_did(comfy, graph, vector):
    steered = graph.apply(vector, 1.5)
    latent, run = sample(comfy, graph, steered)
    assert torch.equal(latent, graph.sample(steered))
    assert {str(seen.site) for seen in run.observations} == {str(site) for site in vector.sites}
    for seen in run.observations:
        assert seen.touched == 1.0  # preset study moves every token
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


def test_a_strength_that_hits_no_site_is_an_error(comfy, graph, vector):
    from dataclasses import replace

    sites = {site: replace(part, active=torch.zeros_like(part.active)) for site, part in vector.sites.items()}
    with pytest.raises(ValueError, match="hit no site"):
        sample(comfy, graph, graph.apply(replace(vector, sites=sites), 1.0))


def sample(comfy, graph, model, denoise=1.0):
    latent = comfy.EmptyLatentImage().generate(64, 64, 1)[0]
    prompts = graph.encode("a photo of a dog on the beach"), graph.encode("")
    with torch.inference_mode():
        out, run = comfy.SteeringKSampler.execute(model, 7, 4, 3.0, "euler", "normal", *prompts, latent, denoise).args
    return out["samples"].clone(), run


def test_a_sweep_is_one_model_a_strength(comfy, graph, vector, plain):
    models, labels = comfy.SteeringSweep.execute(graph.model, graph.bring(vector), "0, 1.5;-1\n2", "study").args
    assert labels == ["strength 0", "strength 1.5", "strength -1", "strength 2"]
    assert torch.equal(graph.sample(models[0]), plain)
    assert torch.equal(graph.sample(models[1]), graph.sample(graph.apply(vector, 1.5)))
    for bad in ("", "one", "1, nan", "1 2 x"):
        with pytest.raises(ValueError, match="numbers separated by commas"):
            comfy.SteeringSweep.execute(graph.model, graph.bring(vector), bad, "study")


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
    steered = comfy.SteeringApply.execute(graph.model, loaded, 1.5, "study", "suppress", 0.0, 1.0).args[0]
    assert torch.equal(graph.sample(steered), graph.sample(graph.apply(vector, 1.5)))
    for bad in ("../mine", "/tmp/mine", "", "dogs/"):
        with pytest.raises(ValueError, match=r"name of a file|needs a file name"):
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
    assert vector.metadata["size"] == 128
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


def test_a_compiled_model_steers_alike(graph, vector):
    from comfy_api.torch_helpers import set_torch_compile_wrapper

    steered = graph.apply(vector, 1.5)
    compiled = steered.clone()
    set_torch_compile_wrapper(compiled, backend="eager")
    assert gap(graph.sample(compiled), graph.sample(steered)) < SAME
    after = graph.model.clone()
    set_torch_compile_wrapper(after, backend="eager")
    assert gap(graph.sample(graph.apply(vector, 1.5, model=after)), graph.sample(steered)) < SAME


def test_prompts_split_into_calls_steer_alike(graph, vector, monkeypatch):
    """Where memory is short, ComfyUI runs the two halves of guidance one after the other."""
    together = graph.sample(graph.apply(vector, 1.5))
    steered = graph.apply(vector, 1.5)
    calls = []
    monkeypatch.setattr(
        type(graph.model.model), "memory_required", lambda *a, **k: calls.append(1) or 1e15 if a[1][0] > 1 else 0
    )
    assert gap(graph.sample(steered), together) < SAME
    assert calls
