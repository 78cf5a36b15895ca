from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from steering.files import read_header, write_tensors
from steering.interventions.entry import Entry
from steering.interventions.presets import PRESETS
from steering.lora.bake import Delta, linear_layers
from steering.lora.export import Lora, save_lora
from steering.lora.formats import FORMATS, KIND, KOHYA, PEFT, VERSION, StoredLora
from steering.sites import Site, module_width
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

SITES = tuple(map(Site.parse, ("in4.attn1", "in5.attn2", "out5.ff")))


@pytest.fixture
def lora(toy_model):
    """Changes of rank 2, of random numbers."""
    generator = torch.Generator().manual_seed(0)
    deltas = {}
    for site, (weight, _) in linear_layers(toy_model.unet, SITES).items():
        shapes = (len(weight), 2), (2, weight.shape[1]), (len(weight),)
        deltas[site] = Delta(*(torch.randn(shape, generator=generator) for shape in shapes))
    width = module_width(toy_model.sites()[SITES[0]], SITES[0].kind)
    row, sigmas = torch.eye(width)[:1, None], toy_model.sigmas(3)
    part = SiteVector(row, torch.zeros(1, width), row[:, 0], torch.ones(3) > 0)
    vector = SteeringVector({SITES[0]: part}, sigmas[1:2], sigmas, {"concept": "thing"})
    return Lora(Entry(vector, 1.0, PRESETS["lora"].settings), deltas)


def same(deltas, others):
    assert list(deltas) == list(others)
    for site, delta in deltas.items():
        for name in ("up", "down", "bias"):
            assert torch.equal(getattr(delta, name), getattr(others[site], name)), (site, name)


def rewritten(path, change, **about):
    """The file with other tensors or another header."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    header = {name: value for name, value in read_header(path).items() if name not in ("kind", "version")} | about
    write_tensors(path, change(tensors), KIND, VERSION, {k: v for k, v in header.items() if v is not None})


def test_names_of_the_two_formats(lora):
    assert set(FORMATS) == {"comfyui", "diffusers"}
    names = set(KOHYA.tensors(lora.deltas, "pocket"))
    stem = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_out_0"
    assert {f"{stem}.{part}" for part in ("lora_up.weight", "lora_down.weight", "alpha", "diff_b")} <= names
    assert len(names) == 4 * len(lora.deltas)
    # Of SDXL, kohya's own trainer names the layers as checkpoints do.
    deep = {Site.parse("in4.attn2.1"): next(iter(lora.deltas.values()))}
    assert "lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_out_0.alpha" in KOHYA.tensors(deep, "sdxl")
    layer = "unet.down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_out.0"
    assert f"{layer}.lora_A.weight" in PEFT.tensors(deep, "sdxl")
    stem = "unet.up_blocks.1.attentions.2.transformer_blocks.0.ff.net.2"
    assert {f"{stem}.{part}" for part in ("lora_A.weight", "lora_B.weight", "lora_B.bias")} <= set(
        PEFT.tensors(lora.deltas, "pocket")
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_what_is_written_is_read_again_to_the_bit(lora, format_, toy_model, tmp_path):
    path = tmp_path / "lora.safetensors"
    said = save_lora(path, format_, lora, "abc", "pocket")
    stored = StoredLora.read(path)
    about = stored.about
    same(lora.deltas, stored.deltas(toy_model.unet, "pocket"))
    assert {name: about[name] for name in said} == said
    assert about["family"] == "pocket"


def test_alpha_scales_the_weights_and_not_the_bias(lora, toy_model, tmp_path):
    path = tmp_path / "lora.safetensors"
    save_lora(path, "comfyui", lora, "abc", "pocket")
    rewritten(path, lambda tensors: {k: v / 2 if k.endswith("alpha") else v for k, v in tensors.items()})
    deltas = StoredLora.read(path).deltas(toy_model.unet, "pocket")
    same({site: replace(delta, up=delta.up / 2) for site, delta in lora.deltas.items()}, deltas)


def without(end):
    return lambda tensors: {name: value for name, value in tensors.items() if not name.endswith(end)}


SHAPES = {
    "lora_up.weight": [torch.zeros(()), torch.zeros(5, 2), torch.zeros(64, 3)],
    "lora_down.weight": [torch.zeros(()), torch.zeros(0, 64), torch.zeros(2, 5)],
    "diff_b": [torch.zeros(()), torch.zeros(5)],
    "alpha": [torch.zeros(2)],
}


def other(end, tensor):
    """Another tensor in the place of those whose name ends so."""
    return lambda tensors: {name: tensor if name.endswith(end) else value for name, value in tensors.items()}


@pytest.mark.parametrize(
    ("change", "about", "message"),
    [
        (dict, {"family": "sdxl"}, "made for 'sdxl', and this model is pocket"),
        (dict, {"format": "other"}, "does not say which layers"),
        (dict, {"sites": "in4.attn1"}, "does not say which layers"),
        (dict, {"sites": ["in11.attn2"]}, r"lacks in11\.attn2"),
        (dict, {"sites": ["in4.attn9"]}, "in4.attn9"),
        (dict, {"sites": ["in4.resnet"]}, "in4.resnet, which end in no linear layer"),
        (without("diff_b"), {}, r"lacks lora_unet_\w+\.diff_b; export it again"),
        *[
            (other(end, tensor), {}, r"in4\.attn1 was made for a layer of another size than \d+ to \d+")
            for end, tensors in SHAPES.items()
            for tensor in tensors
        ],
    ],
)
def test_what_does_not_fit_the_model_is_refused_in_a_sentence(lora, change, about, message, toy_model, tmp_path):
    path = tmp_path / "lora.safetensors"
    save_lora(path, "comfyui", lora, "abc", "pocket")
    rewritten(path, change, **about)
    with pytest.raises(ValueError, match=message):
        StoredLora.read(path).deltas(toy_model.unet, "pocket")


def test_a_file_from_before_families_were_written_is_read(lora, toy_model, tmp_path):
    path = tmp_path / "lora.safetensors"
    save_lora(path, "comfyui", lora, "abc", "pocket")
    rewritten(path, dict, family=None)
    same(lora.deltas, StoredLora.read(path).deltas(toy_model.unet, "pocket"))
