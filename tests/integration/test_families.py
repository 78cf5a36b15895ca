"""SD 1.5, 2 and XL, narrow: what the command line does with a file a graph does with it too."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from steering import families as ours
from steering.activations.capture import capture
from steering.concepts.pairs import Pair
from steering.interventions.steer import steer
from steering.models.loading import load_model
from steering.models.sampling import CaptureSettings
from steering.vectors.build import build

from ..models.narrow import UNETS, narrow_row
from .conftest import gap, internals
from .narrow_comfy import register, write_for_comfy

# Steps whose timesteps are whole; 64 pixels.
STEPS, SIZE, GUIDANCE = 4, 64, 4.0
SAME = 2e-3
"""Float32 noise of four steps, and noise levels that differ by 5e-5 between the two paths."""
TEXT = "a (dog:1.3) on the beach"
PLACES = "in snow", "on a hill", "at home", "by the sea", "in a car", "on a boat", "at night", "in rain", "up", "down"
PAIRS = [Pair(f"a dog {where}", f"a cat {where}") for where in PLACES]


@pytest.fixture(scope="module", params=["sd15", "sd2", "sdxl"])
def both(request, comfy, tmp_path_factory):
    """A family's narrow model in a graph and on the command line."""
    import folder_paths

    name, place = request.param, tmp_path_factory.mktemp("narrow")
    (place / "checkpoints").mkdir()
    write_for_comfy(name, place, place / "checkpoints" / "narrow.safetensors")
    register(name)
    paths, endings = folder_paths.folder_names_and_paths["checkpoints"]
    with pytest.MonkeyPatch.context() as patch:
        rows = tuple(narrow_row(one, place / "folder") for one in UNETS)
        theirs = internals(comfy, "comfy_model").families
        patch.setattr(ours, "FAMILIES", rows)
        patch.setattr(theirs, "FAMILIES", tuple(row_of(theirs, row) for row in rows))
        patch.setitem(
            folder_paths.folder_names_and_paths, "checkpoints", ([str(place / "checkpoints"), *paths], endings)
        )
        with torch.inference_mode():
            model, clip, _ = comfy.CheckpointLoaderSimple().load_checkpoint("narrow.safetensors")
        headless = load_model(str(place / "one.safetensors"), "cpu")
        yield SimpleNamespace(name=name, comfy=comfy, model=model, clip=clip, headless=headless)


def row_of(module, row):
    """The same row in the pack's own copy of the engine."""
    parts = {field: getattr(row, field) for field in row.__dataclass_fields__}
    parts["lora"] = module.LoraNames(**vars(row.lora))
    parts["checkpoint"] = module.Checkpoint(**vars(row.checkpoint))
    return module.Family(**parts)


def encoded(both, text):
    with torch.inference_mode():
        return both.comfy.CLIPTextEncode().encode(both.clip, text)[0]


def sampled(both, model=None, positive=None, **options):
    """Latents of a stock KSampler."""
    settings = {"steps": STEPS, "cfg": GUIDANCE, "sampler_name": "euler", "scheduler": "normal", "seed": 7, **options}
    latent = both.comfy.EmptyLatentImage().generate(SIZE, SIZE, 1)[0]
    with torch.inference_mode():
        words = encoded(both, TEXT) if positive is None else positive
        return (
            both.comfy.KSampler()
            .sample(
                model or both.model,
                positive=words,
                negative=encoded(both, "a cat"),
                latent_image=latent,
                **settings,
            )[0]["samples"]
            .clone()
        )


def drawn(both, *vectors, **how):
    """The same on the command line, unscaled as ComfyUI has latents."""
    model = both.headless
    noise = torch.randn((1, 4, SIZE // 8, SIZE // 8), generator=torch.Generator().manual_seed(7))
    with steer(model, [vector.entry(**how) for vector in vectors]):
        latents = model.denoise(model.encode([TEXT]), model.encode(["a cat"]), noise, STEPS, GUIDANCE)
    return latents / model.vae.config.scaling_factor


def test_it_is_known_as_its_family(both):
    family_of = internals(both.comfy, "comfy_model").family_of
    assert family_of(both.model) == both.headless.family == both.name


def test_prompts_are_encoded_alike(both):
    theirs, said = encoded(both, TEXT)[0]
    words = both.headless.encode([TEXT])
    torch.testing.assert_close(theirs.float(), words.context, atol=1e-4, rtol=1e-4)
    if both.name == "sdxl":
        torch.testing.assert_close(said["pooled_output"].float(), words.pooled, atol=1e-4, rtol=1e-4)


def test_the_same_latents(both):
    theirs, mine = sampled(both), drawn(both)
    assert gap(theirs, mine) < SAME
    assert gap(sampled(both, positive=encoded(both, "a cat")), mine) > 5 * SAME


def captured_in(both, model=None, sites="attn1,attn2,ff,resnet", cache=False):
    text = "\n".join(f"{pair.positive} | {pair.negative}" for pair in PAIRS)
    pairs = both.comfy.SteeringPairsFromText.execute(text, "dog").args[0]
    arguments = (sites, STEPS, GUIDANCE, "euler", "normal", 0, SIZE, SIZE, 1, cache)
    with torch.inference_mode():
        return both.comfy.SteeringCapture.execute(model or both.model, both.clip, pairs, *arguments).args[0]


@pytest.fixture(scope="module")
def captured(both):
    """The capture of both paths."""
    settings = CaptureSettings(steps=STEPS, guidance=GUIDANCE, size=SIZE, batch=1)
    return captured_in(both), capture(both.headless, PAIRS, settings=settings, concept="dog")


def test_a_graph_captures_what_the_command_line_captures(both, captured):
    theirs, mine = captured
    assert len(mine.tensors) == {"sd15": 70, "sd2": 70, "sdxl": 227}[both.name]
    assert [str(site) for site in theirs.tensors] == [str(site) for site in mine.tensors]
    for a, b in zip(theirs.tensors.values(), mine.tensors.values(), strict=True):
        assert (a - b).norm() < SAME * b.norm()
    # The same weights under the same names, those of the embedding of sizes among them.
    assert theirs.metadata["model"]["weights"] == mine.metadata["model"]["weights"]
    assert theirs.metadata["model"]["family"] == both.name


def test_apply_draws_what_the_command_line_draws_and_strength_0_changes_no_bit(both, captured, tmp_path):
    vector = build(captured[1], top_k=8)
    vector.save(tmp_path / "v.safetensors")
    brought = internals(both.comfy, "vectors").SteeringVector.load(tmp_path / "v.safetensors")
    plain = sampled(both)

    def applied(strength, vector=brought):
        arguments = (both.model, vector, strength, "projection", "suppress", 0.0, 1.0)
        return both.comfy.SteeringApply.execute(*arguments).args[0]

    assert torch.equal(sampled(both, applied(0.0)), plain)
    steered = sampled(both, applied(3.0))
    assert gap(steered, plain) > 10 * SAME
    assert gap(steered, drawn(both, vector, strength=3.0, preset="projection")) < 5 * SAME
    if both.name == "sdxl":  # a size and crop of its own, as CLIPTextEncodeSDXL says them
        sizes = {"width": 128, "height": 64, "crop_w": 8, "crop_h": 0, "target_width": 128, "target_height": 64}
        words = [[part, {**said, **sizes}] for part, said in encoded(both, TEXT)]
        other = sampled(both, positive=words)
        assert gap(other, plain) > SAME
        assert torch.equal(sampled(both, applied(0.0), positive=words), other)
        assert gap(sampled(both, applied(3.0), positive=words), other) > SAME


def test_a_refiner_split_steers_the_base_alone(both, captured, tmp_path):
    """The first half of the steps on the steered model, the second on another: as SDXL's refiner is used."""
    brought = internals(both.comfy, "vectors").SteeringVector
    build(captured[1], top_k=8).save(tmp_path / "v.safetensors")
    vector = brought.load(tmp_path / "v.safetensors")
    applied = both.comfy.SteeringApply.execute(both.model, vector, 3.0, "projection", "suppress", 0.0, 1.0).args[0]

    def split(first, second):
        common = ("euler", "normal", encoded(both, TEXT), encoded(both, "a cat"))
        latent = both.comfy.EmptyLatentImage().generate(SIZE, SIZE, 1)[0]
        with torch.inference_mode():
            half = both.comfy.KSamplerAdvanced().sample(
                first, "enable", 7, STEPS, GUIDANCE, *common, latent, 0, 2, "enable"
            )[0]
            return (
                both.comfy.KSamplerAdvanced()
                .sample(second, "disable", 7, STEPS, GUIDANCE, *common, half, 2, STEPS, "disable")[0]["samples"]
                .clone()
            )

    plain, base = split(both.model, both.model), split(applied, both.model)
    noise = 1e-5  # of two runs of the same graph there is none
    assert torch.equal(split(both.model, both.model), plain)
    assert gap(base, plain) > noise
    assert gap(split(applied, applied), base) > noise


def test_an_exported_lora_does_what_apply_does(both, captured, tmp_path, monkeypatch):
    import folder_paths

    monkeypatch.setitem(folder_paths.folder_names_and_paths, "loras", ([str(tmp_path)], {".safetensors"}))
    sites = "in4.attn2,in5.attn1,mid.attn2,out3.ff,out4.attn1"
    build(captured[1], select_by=sites, time="constant").save(tmp_path / "v.safetensors")
    vector = internals(both.comfy, "vectors").SteeringVector.load(tmp_path / "v.safetensors")
    options = both.comfy.SteeringOptions.execute("negative", "all", False, "both").args[0]
    with torch.inference_mode():
        arguments = (both.model, vector, 2.5, "lora", "suppress", 0.0, 1.0)
        hooked = both.comfy.SteeringApply.execute(*arguments, options=options).args[0]
        plain, steered = sampled(both), sampled(both, hooked)
        arguments = (both.model, vector, 2.5, "lora", "suppress", "comfyui", "mine", False)
        lora, _, report = both.comfy.SteeringExportLora.execute(*arguments, options=options).args
        loader = both.comfy.LoraLoaderModelOnly()
        loaded = sampled(both, loader.load_lora_model_only(both.model, "mine.safetensors", 1.0)[0])
    assert report.startswith("exact, 5 layers")
    assert gap(steered, plain) > 10 * SAME
    assert gap(loaded, steered) < SAME
    assert any("input_blocks_4_1" in name for name in lora) == (both.name == "sdxl")


def test_a_vector_of_another_family_is_refused_with_its_name(both, graph, captured, tmp_path):
    build(captured[1], top_k=8).save(tmp_path / "v.safetensors")
    vector = internals(both.comfy, "vectors").SteeringVector.load(tmp_path / "v.safetensors")
    with pytest.raises(ValueError, match=f"was made for {both.name}"):
        both.comfy.SteeringApply.execute(graph.model, vector, 1.0, "projection", "suppress", 0.0, 1.0)


def test_scores_a_report_and_a_map_are_made_of_it(both, captured, tmp_path):
    scores, picture, *_ = both.comfy.SteeringScore.execute(captured[0], "cross-fitted").args
    assert len(scores.sites) == len(captured[0].tensors)
    assert np.asarray(picture).std() > 0.05
    build(captured[1], top_k=8).save(tmp_path / "v.safetensors")
    vector = internals(both.comfy, "vectors").SteeringVector.load(tmp_path / "v.safetensors")
    applied = both.comfy.SteeringApply.execute(both.model, vector, 3.0, "projection", "suppress", 0.0, 1.0).args[0]
    latent = both.comfy.EmptyLatentImage().generate(SIZE, SIZE, 1)[0]
    words = encoded(both, TEXT), encoded(both, "a cat")
    with torch.inference_mode():
        how = (7, STEPS, GUIDANCE, "euler", "normal", *words, latent, 1.0)
        latents, seen = both.comfy.SteeringKSampler.execute(applied, *how).args
        report, _ = both.comfy.SteeringReport.execute(seen).args
        picture = both.comfy.SteeringMap.execute(seen, torch.rand(1, SIZE, SIZE, 3), "held", 0, 0, 3, 2).args[0]
    assert torch.equal(latents["samples"], sampled(both, applied))
    assert all(str(site) in report for site in list(vector.sites)[:1])
    assert picture.std() > 0.05
