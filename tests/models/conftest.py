"""Fixtures: the table of families with narrow rows, and files of a narrow SDXL that say something else."""

import shutil

import pytest
from safetensors.torch import load_file, save_file

from steering import families

from .narrow import UNETS, changed, narrow_row, write


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """The table of families with narrow rows: what another family would take."""
    place = tmp_path_factory.mktemp("narrow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr(families, "FAMILIES", tuple(narrow_row(name, place / name / "folder") for name in UNETS))
        yield place


@pytest.fixture
def edited(rows, tmp_path):
    """SDXL's checkpoint with some tensors more or less."""
    if not (rows / "sdxl").is_dir():
        write("sdxl", rows / "sdxl")

    def edit(without="", **more):
        state = load_file(rows / "sdxl" / "one.safetensors")
        state = {name: value for name, value in state.items() if not without or not name.startswith(without)}
        save_file(state | more, tmp_path / "edited.safetensors")
        return str(tmp_path / "edited.safetensors")

    return edit


@pytest.fixture
def copied(rows, edited, tmp_path):
    """A copy of SDXL's folder with some settings changed."""
    edited()

    def copy(part, **settings):
        shutil.copytree(rows / "sdxl" / "folder", tmp_path / "copy")
        changed(tmp_path / "copy", part, **settings)
        return str(tmp_path / "copy")

    return copy
