"""The table of families: complete, without two that look alike, and what is said of those that are not in it."""

from dataclasses import fields

import pytest

from steering.concepts.pairs import CONCEPTS
from steering.families import FAMILIES, REFINER, Family, family_named, family_of, titles
from steering.models.loading import CONFIGURATIONS
from steering.sites import SD15_SITES


def test_families_are_told_apart_by_name_and_by_widths():
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert len({(family.channels, family.text_width) for family in FAMILIES}) == len(FAMILIES)
    assert REFINER not in {(family.channels, family.text_width) for family in FAMILIES}
    for family in FAMILIES:
        assert family_named(family.name) is family
        assert family_of(family.channels, family.text_width) is family


def test_an_unknown_family_has_what_is_usual_for_stable_diffusion_1_and_no_checkpoints():
    other = family_of(320, 1000)
    assert other.name == "unet-320-1000"
    assert (other.guidance, other.size) == (7.5, 512)
    assert other.checkpoint is None
    assert family_named(other.name) == other


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_row_has_what_it_needs_on_disk(family):
    assert (CONCEPTS / family.concepts).is_dir()
    assert set(family.text_layers) <= {"last", "penultimate"}
    assert family.lora.layout in ("diffusers", "ldm")
    if family.checkpoint:
        folder = CONFIGURATIONS / family.checkpoint.folder
        assert (folder / "unet" / "config.json").is_file()
        assert f"{family.title} ({family.text_width})" in titles()


def test_stable_diffusion_1_has_the_70_sites():
    row = family_named("sd15")
    assert 3 * row.transformers + row.resnets == len(SD15_SITES)


def test_every_field_says_what_it_is():
    for field in fields(Family):
        assert f"        {field.name}: " in (Family.__doc__ or ""), field.name
