import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.sites import KINDS, SD15_SITES, TEXT, Site, choose_sites, find_sites, module_width

# The table of SD 1.5, written out by hand from the checkpoint's own key names.
BY_HAND = {
    "in1.attn2": (
        "input_blocks.1.1.transformer_blocks.0.attn2",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2",
    ),
    "in5.ff": ("input_blocks.5.1.transformer_blocks.0.ff", "down_blocks.1.attentions.1.transformer_blocks.0.ff"),
    "in8.attn1": (
        "input_blocks.8.1.transformer_blocks.0.attn1",
        "down_blocks.2.attentions.1.transformer_blocks.0.attn1",
    ),
    "in11.resnet": ("input_blocks.11.0", "down_blocks.3.resnets.1"),
    "mid.resnet0": ("middle_block.0", "mid_block.resnets.0"),
    "mid.attn2": ("middle_block.1.transformer_blocks.0.attn2", "mid_block.attentions.0.transformer_blocks.0.attn2"),
    "mid.resnet1": ("middle_block.2", "mid_block.resnets.1"),
    "out0.resnet": ("output_blocks.0.0", "up_blocks.0.resnets.0"),
    "out3.attn2": (
        "output_blocks.3.1.transformer_blocks.0.attn2",
        "up_blocks.1.attentions.0.transformer_blocks.0.attn2",
    ),
    "out11.ff": ("output_blocks.11.1.transformer_blocks.0.ff", "up_blocks.3.attentions.2.transformer_blocks.0.ff"),
}


def test_sd15_has_sixteen_transformers_and_22_resnets():
    counts = {kind: sum(site.kind == kind for site in SD15_SITES) for kind in KINDS}
    assert counts == {"attn1": 16, "attn2": 16, "ff": 16, "resnet": 22}


@pytest.mark.parametrize(("name", "paths"), BY_HAND.items())
def test_names_map_to_the_paths_of_both_layouts(name, paths):
    site = Site.parse(name)
    assert (site.ldm_path, site.diffusers_path) == paths


@pytest.mark.parametrize("site", SD15_SITES, ids=str)
def test_every_site_maps_both_ways(site):
    assert Site.parse(str(site)) == site
    assert Site.from_ldm(site.ldm_path) == site
    assert Site.from_diffusers(site.diffusers_path) == site


def test_paths_are_unique():
    assert len({site.ldm_path for site in SD15_SITES}) == len({site.diffusers_path for site in SD15_SITES}) == 70


@given(st.sampled_from(["in", "out"]), st.integers(0, 11), st.sampled_from(["attn1", "attn2", "ff"]), st.integers(0, 9))
def test_deeper_transformers_round_trip(part, block, kind, layer):
    if part == "in" and block % 3 == 0:
        return
    site = Site(part, block, kind, layer)
    assert Site.parse(str(site)) == Site.from_ldm(site.ldm_path) == Site.from_diffusers(site.diffusers_path) == site


def test_a_deeper_layer_is_named():
    assert str(Site("in", 4, "attn2", 1)) == "in4.attn2.1"


@pytest.mark.parametrize(
    "name",
    [
        "in0.resnet",
        "in4",
        "in4.attn3",
        "mid.resnet2",
        "mid.resnet",
        "out1.resnet.1",
        "",
        "in4.attn2.0",
        "in" + "4" * 5000 + ".ff",
    ],
)
def test_other_names_are_refused_with_a_sentence(name):
    with pytest.raises(ValueError, match=r"site|block|mid"):
        Site.parse(name)


@pytest.mark.parametrize(
    "path", ["input_blocks.0.0", "input_blocks.3.0", "middle_block.1", "time_embed.0", "down_blocks.0.attentions.0"]
)
def test_other_modules_are_no_sites(path):
    assert Site.from_ldm(path) is None
    assert Site.from_diffusers(path) is None


def test_a_unet_shows_the_text_and_its_70_sites_in_order_of_execution(toy_model):
    assert tuple(find_sites(toy_model.unet)) == (TEXT, *SD15_SITES)


def test_order_is_the_order_of_execution(toy_model, hooks_left):
    import torch

    seen = []
    handles = [
        m.register_forward_hook(lambda *_, s=s: seen.append(s)) for s, m in toy_model.sites().items() if s != TEXT
    ]
    with torch.no_grad():
        toy_model.unet(torch.randn(1, 4, 8, 8), 5, torch.randn(1, 77, 64))
    for handle in handles:
        handle.remove()
    assert seen == list(SD15_SITES)


def test_widths_are_read_from_the_model(toy_model):
    widths = {str(site): module_width(module, site.kind) for site, module in toy_model.sites().items()}
    assert widths["in1.attn2"] == widths["out11.ff"] == 32
    assert widths["in4.attn1"] == 64
    assert widths["mid.resnet1"] == widths["out0.resnet"] == 128


def test_choose_sites_takes_kinds_and_names():
    chosen = choose_sites(SD15_SITES, "attn2, mid.resnet0")
    assert len(chosen) == 17
    assert chosen == sorted(chosen, key=lambda site: site.order)


@pytest.mark.parametrize("names", ["", "attn3", "in4.attn2.1"])
def test_choose_sites_refuses_what_is_not_there(names):
    with pytest.raises(ValueError, match="site"):
        choose_sites(SD15_SITES, names)
