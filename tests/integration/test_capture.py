"""Capturing, scoring and building in a graph gives what the command line gives, once and not twice."""

import pytest
import torch

from steering.activations.capture import capture
from steering.activations.store import Activations
from steering.concepts.pairs import load_pairs
from steering.interventions.steer import steer
from steering.models.sampling import CaptureSettings
from steering.scores.navigator import score
from steering.vectors.build import build
from steering.vectors.vector import SteeringVector

from .conftest import internals

# Three steps would ask for timestep 499.5, which the two paths round to either side.
STEPS, SIZE, PAIRS = 4, 64, 12
# Float32 noise of four steps, and noise levels that differ by 5e-5 between the two paths.
SAME = 2e-3


@pytest.fixture
def cache(comfy, tmp_path, monkeypatch):
    import folder_paths

    monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path))
    return tmp_path / "steering_cache"


@pytest.fixture(scope="module")
def pairs(comfy):
    return named(comfy, PAIRS)


def named(comfy, count):
    loaded, total, preview = comfy.SteeringLoadPairs.execute("pocket/dog").args
    assert (total, len(preview.splitlines())) == (50, 50)
    return type(loaded)("dog", loaded.pairs[:count])


def run(graph, pairs, model=None, cache=False, steps=STEPS, sampler="euler", batch=4, sites="attn2,resnet", seed=0):
    size = (SIZE, SIZE, batch)
    arguments = (sites, steps, 3.0, sampler, "normal", seed, *size, cache)
    with torch.inference_mode():  # as ComfyUI's executor does
        return graph.comfy.SteeringCapture.execute(model or graph.model, graph.clip, pairs, *arguments).args[0]


@pytest.fixture(scope="module")
def ours(headless):
    settings = CaptureSettings(steps=STEPS, guidance=3.0, size=SIZE, batch=4)
    return capture(
        headless.model, load_pairs("pocket/dog")[:PAIRS], sites="attn2,resnet", settings=settings, concept="dog"
    )


@pytest.fixture(scope="module")
def theirs(graph, pairs):
    return run(graph, pairs)


def test_a_graph_captures_what_the_command_line_captures(theirs, ours):
    assert [str(site) for site in theirs.tensors] == [str(site) for site in ours.tensors]
    for a, b in zip(theirs.tensors.values(), ours.tensors.values(), strict=True):
        assert (a - b).norm() < SAME * b.norm()
    torch.testing.assert_close(theirs.sigmas, ours.sigmas, atol=0, rtol=1e-4)
    same = ("concept", "pairs", "negatives", "steps", "guidance", "seed", "size", "sampler", "scheduler")
    assert {name: theirs.metadata[name] for name in same} == {name: ours.metadata[name] for name in same}
    # The same weights under the same names, so the command line knows the model again.
    assert theirs.metadata["model"]["weights"] == ours.metadata["model"]["weights"]
    assert theirs.metadata["model"]["family"] == "pocket"


def test_a_saved_capture_goes_to_the_command_line(comfy, theirs, tmp_path, monkeypatch):
    import folder_paths

    from steering.activations.store import Activations

    monkeypatch.setitem(
        folder_paths.folder_names_and_paths, "steering_activations", ([str(tmp_path)], {".safetensors"})
    )
    path = comfy.SteeringSaveActivations.execute(theirs, "mine").args[1]
    loaded = Activations.load(path)
    assert all(torch.equal(a, b) for a, b in zip(loaded.tensors.values(), theirs.tensors.values(), strict=True))
    assert comfy.SteeringSaveActivations.execute(theirs, "mine").args[1].endswith("mine_00002.safetensors")
    again, summary = comfy.SteeringLoadActivations.execute("mine.safetensors").args
    assert again.pairs == PAIRS
    assert "12 pairs" in summary


def test_scores_and_vector_are_those_of_the_command_line(comfy, theirs, ours):
    scores, picture, ranking, _ = comfy.SteeringScore.execute(theirs, "cross-fitted").args
    torch.testing.assert_close(scores.table(), score(ours).table(), atol=0.02, rtol=0)
    assert picture.shape[-1] == 3
    assert picture.std() > 0.05
    assert len(ranking.splitlines()) == len(ours.tensors)
    vector, strength = comfy.SteeringBuild.execute(theirs, 5, "attn2", "mean", 1, "per-step", scores=scores).args
    same = build(ours, select_by="attn2")
    assert strength == 1.0  # precise, since nothing was recommended
    for a, b in zip(vector.sites.values(), same.sites.values(), strict=True):
        cosines = (a.direction[:, 0] * b.direction[:, 0]).sum(-1)
        assert cosines.min() > 1 - SAME


def test_a_vector_made_in_a_graph_draws_the_same_picture_on_the_command_line(comfy, graph, headless, theirs, tmp_path):
    made = comfy.SteeringBuild.execute(theirs, 3, "per-step", "mean", 1, "per-step").args[0]
    made.save(tmp_path / "graph.safetensors")
    vector = SteeringVector.load(tmp_path / "graph.safetensors")
    drawn = graph.sample(
        comfy.SteeringApply.execute(graph.model, made, 1.5, "projection", "suppress", 0.0, 1.0).args[0]
    )
    with steer(headless.model, vector, strength=1.5, preset="projection"):
        ours = headless.sample()
    assert (drawn - ours).norm() < SAME * ours.norm()
    assert (drawn - graph.sample()).norm() > 10 * SAME * ours.norm()


def test_thresholds_need_the_model(comfy, graph, theirs):
    arguments = (theirs, 3, "overall", "mean", 1, "per-step")
    plain = comfy.SteeringBuild.execute(*arguments).args[0]
    assert all(part.threshold is None for part in plain.sites.values())
    with torch.inference_mode():
        ready = comfy.SteeringBuild.execute(*arguments, model=graph.model, clip=graph.clip).args[0]
    for part in ready.sites.values():
        # The 95 % quantile of tokens lies above the mean of the same prompts' tokens.
        assert (part.threshold[:, 0] > (part.negative_mean * part.direction[:, 0]).sum(-1)).all()
    with pytest.raises(ValueError, match="belong together"):
        comfy.SteeringBuild.execute(*arguments, model=graph.model)


@pytest.mark.parametrize("sampler", ["heun", "dpm_2", "dpmpp_2m", "lms", "ipndm", "deis", "ddim"])
def test_every_deterministic_sampler_is_recorded_at_its_steps(graph, pairs, sampler):
    few = type(pairs)("dog", pairs.pairs[:1])
    captured = run(graph, few, sampler=sampler, steps=5, sites="mid.attn2")
    (tensor,) = captured.tensors.values()
    assert tensor.shape[2] == len(captured.sigmas) == 5
    assert captured.sigmas.diff().max() < 0
    # What is recorded is what the sampler reports as its step: the latents that its callback gets.
    for side, prompt in enumerate((few.pairs[0].positive, few.pairs[0].negative)):
        for step, reference in enumerate(replayed(graph, prompt, sampler)):
            torch.testing.assert_close(tensor[side, 0, step], reference, atol=2e-3, rtol=2e-3)


def replayed(graph, prompt, sampler, steps=5):
    """Token means of mid.attn2 for the latents at the start of every step, each computed on its own."""
    import comfy.patcher_extension
    import comfy.samplers

    from steering.models.sampling import draw_noise

    starts, means, evaluated = [], [], []
    settings = comfy.samplers.KSampler(graph.model, steps, torch.device("cpu"), sampler, "normal", denoise=1.0)
    noise = draw_noise([0], 4, SIZE)

    def evaluation(executor, x, *others):
        evaluated.append(x.clone())
        return executor(x, *others)

    def guided(model):
        watched = model.clone()
        watched.add_wrapper(comfy.patcher_extension.WrappersMP.PREDICT_NOISE, evaluation)
        guider = comfy.samplers.CFGGuider(watched)
        guider.set_conds(graph.encode(prompt), graph.encode(""))
        guider.set_cfg(3.0)
        return guider

    def keep(_step, _clean, x, _total):
        if sampler not in ("ipndm", "deis"):  # these two always report the noise that they started from
            assert torch.equal(x, evaluated[-1])
        starts.append(evaluated[-1])

    with torch.inference_mode():
        chosen = comfy.samplers.sampler_object(sampler)
        guided(graph.model).sample(noise, torch.zeros_like(noise), chosen, settings.sigmas, callback=keep, seed=0)
        module = graph.model.model.diffusion_model.get_submodule("middle_block.1.transformer_blocks.0.attn2")
        for x, sigma in zip(starts, settings.sigmas[:-1], strict=True):
            cond = graph.encode(prompt)[0][0]
            handle = module.register_forward_hook(lambda _m, _a, out: means.append(out.float().mean(1)[0]))
            try:
                graph.model.model.apply_model(x, sigma[None], c_crossattn=cond)
            finally:
                handle.remove()
    return means


def test_samplers_that_draw_noise_are_refused(graph, pairs):
    with pytest.raises(ValueError, match="repeat exactly"):
        run(graph, pairs, sampler="euler_ancestral")


def test_a_second_capture_comes_from_the_cache(graph, pairs, cache, monkeypatch):
    first = run(graph, pairs, cache=True)
    pack = internals(graph.comfy, "capture")
    monkeypatch.setattr(pack, "capture", lambda *a, **k: pytest.fail("captured again"))
    second = run(graph, pairs, cache=True)
    assert all(torch.equal(a, b) for a, b in zip(first.tensors.values(), second.tensors.values(), strict=True))
    for other in ({"seed": 1}, {"steps": 5}, {"sites": "attn2"}):
        with pytest.raises(pytest.fail.Exception):
            run(graph, pairs, cache=True, **other)


def test_a_patch_upstream_is_another_capture(graph, pairs, cache):
    first = run(graph, pairs, cache=True)
    patched = graph.model.clone()
    early = 5.0  # a patch of the first steps only, as many packs have them

    def weaken(n, options):
        return n * 0.9 if float(options["sigmas"][0]) > early else n

    patched.set_model_attn2_output_patch(weaken)
    second = run(graph, pairs, model=patched, cache=True)
    assert not all(torch.equal(a, b) for a, b in zip(first.tensors.values(), second.tensors.values(), strict=True))
    lora = graph.model.clone()
    name = "diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_out.0.weight"
    shape = graph.model.model_state_dict()[name].shape
    assert lora.add_patches({name: ("diff", (0.05 * torch.randn(shape),))}, 1.0)
    third = run(graph, pairs, model=lora, cache=True)
    assert third.metadata["model"]["weights"] == first.metadata["model"]["weights"]
    assert not all(torch.equal(a, b) for a, b in zip(first.tensors.values(), third.tensors.values(), strict=True))
    rescaled = graph.comfy.RescaleCFG().patch(graph.model, 0.7)[0]  # acts on guidance alone
    run(graph, pairs, model=rescaled, cache=True)
    assert len(list(cache.iterdir())) == 4
    again = run(graph, pairs, cache=True)
    assert all(torch.equal(a, b) for a, b in zip(first.tensors.values(), again.tensors.values(), strict=True))


def test_an_interrupted_capture_keeps_what_is_finished(graph, pairs, cache):
    import comfy.model_management as management

    calls, until = [], None

    def interrupt(*_):
        calls.append(1)
        if len(calls) == until:
            management.interrupt_current_processing()

    seen = graph.model.model.diffusion_model.register_forward_pre_hook(interrupt)
    try:
        fresh = run(graph, pairs)
        # After the probe of the cache, in the middle of the second of three batches.
        until = len(calls) + internals(graph.comfy, "comfy_capture").PROBE_STEPS + len(calls) // 2
        with pytest.raises(management.InterruptProcessingException):
            run(graph, pairs, cache=True)
    finally:
        seen.remove()
        management.interrupt_current_processing(False)
    assert sum(len(m._forward_hooks) for m in graph.model.model.diffusion_model.modules()) == 0
    assert len(list(cache.rglob("parts/*"))) == 1
    resumed = run(graph, pairs, cache=True)
    for a, b in zip(resumed.tensors.values(), fresh.tensors.values(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    assert not list(cache.rglob("parts/*"))


def test_a_full_cache_drops_the_longest_unused(graph, pairs, cache, monkeypatch):
    module = internals(graph.comfy, "cache")
    few = type(pairs)("dog", pairs.pairs[:2])
    run(graph, few, cache=True, sites="attn2")
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    monkeypatch.setattr(module.CaptureCache.__init__, "__defaults__", (size * 3 // 2,))
    (old,) = cache.iterdir()
    run(graph, few, cache=True, sites="attn2", seed=3)
    (kept,) = cache.iterdir()
    assert kept != old
    run(graph, few, cache=True, sites="attn2")  # a pruned entry is made again


def test_text_becomes_pairs(comfy):
    pairs, count, preview = comfy.SteeringPairsFromText.execute("a dog | a cat\n\na dog runs | a cat runs", "x").args
    assert (pairs.concept, count) == ("x", 2)
    assert preview.splitlines()[0] == "a dog | a cat"
    with pytest.raises(ValueError, match="line 1"):
        comfy.SteeringPairsFromText.execute("a dog", "x")


def test_a_word_becomes_pairs_and_they_a_steered_model(comfy, graph):
    """A prompt with the concept is drawn otherwise, and one without it bit for bit the same."""
    pairs, count, preview = comfy.SteeringWritePairs.execute("umbrella", "pocket model", "auto", "", 50).args
    assert count == len(pairs.pairs) == len(preview.splitlines()) == 50
    assert pairs.concept == "umbrella"
    steered = comfy.SteeringQuick.execute(graph.model, graph.clip, "pocket/dog", 1.0, pairs).args[0]
    for text, same in (("a photo of an umbrella in a room", False), ("a photo of a dog in a room", True)):
        assert torch.equal(graph.sample(steered, text), graph.sample(text=text)) == same
    few = comfy.SteeringWritePairs.execute("a lamp", "any model", "object", "candle, torch", 12).args
    assert (few[0].concept, few[1]) == ("lamp", 12)
    assert "candle" in few[2]
    said = comfy.SteeringWritePairs.execute("crane", "any model", "auto", "", 12).ui["text"][0]
    assert "taken for the object 'crane'" in said
    assert "means several things" in said
    with pytest.raises(Exception, match="the pocket model knows dog, cat"):
        comfy.SteeringWritePairs.execute("unicorn", "pocket model", "auto", "", 50)


def test_a_word_becomes_another(comfy, graph):
    """The dog's place is taken, and a prompt without it is drawn bit for bit the same."""
    pairs = comfy.SteeringWritePairs.execute("dog", "pocket model", "auto", "", 50, "cat").args[0]
    assert pairs.pairs[0].rest == "an image showing a cat on the beach"
    steered = comfy.SteeringQuick.execute(graph.model, graph.clip, "pocket/dog", 1.0, pairs).args[0]
    for text, same in (("a photo of a dog in a room", False), ("a photo of a horse in a room", True)):
        assert torch.equal(graph.sample(steered, text), graph.sample(text=text)) == same


def test_files_of_pairs_are_listed_and_read(comfy, tmp_path, monkeypatch):
    import folder_paths

    monkeypatch.setitem(folder_paths.folder_names_and_paths, "steering_pairs", ([str(tmp_path)], {".csv", ".jsonl"}))
    (tmp_path / "mine.csv").write_text("positive,negative\na dog,a cat\n", encoding="utf-8")
    assert "mine.csv" in str(comfy.SteeringLoadPairs.INPUT_TYPES())
    assert comfy.SteeringLoadPairs.execute("mine.csv").args[1] == 1
    for bad in ("../mine.csv", "/etc/passwd", "C:\\mine.csv"):
        with pytest.raises(ValueError, match="must be the name of a file"):
            comfy.SteeringLoadPairs.execute(bad)
    with pytest.raises(FileNotFoundError, match="built-in concepts are pocket/cat, pocket/dog"):
        comfy.SteeringLoadPairs.execute("unicorn")


def test_refined_and_protecting_vectors_are_those_of_the_engine(graph, comfy, theirs, pairs):
    cats = type(pairs)("cat", comfy.SteeringLoadPairs.execute("pocket/cat").args[0].pairs[:PAIRS])
    kept = run(graph, cats)
    execute = comfy.SteeringBuild.execute
    given = {"alpha": "2", "components": 3, "background": kept, "protect": kept}
    made = execute(theirs, 3, "per-step:attn2", "cpca-paired", 1, "per-step", **given).args[0]
    again = Activations(kept.tensors, kept.sigmas, kept.metadata)  # the pack has its own copy of the engine's classes
    expected = build(
        theirs,
        None,
        top_k=3,
        select_by="per-step:attn2",
        direction="cpca-paired",
        alpha=2,
        components=3,
        background=again,
        protect=[again],
    )
    assert made.digest() == expected.digest()
    assert made.digest() != execute(theirs, 3, "per-step:attn2", "mean", 1, "per-step").args[0].digest()
    with pytest.raises(ValueError, match="auto or a number from 0"):
        execute(theirs, 3, "per-step", "cpca", 1, "per-step", alpha="much")
