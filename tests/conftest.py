"""Fixtures: an untrained model of the pocket's shape, made from configurations alone."""

import io
import os
import subprocess
from contextlib import redirect_stderr, redirect_stdout

# One thread a worker: two workers with two threads each take twice as long. Before torch reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from hypothesis import settings

from steering.cli.main import main
from steering.models.diffusion import DiffusionModel
from steering.models.encoders import TextEncoder
from steering.models.loading import SD15
from steering.pocket import architecture
from steering.schedule import NoiseSchedule

# A slow or busy machine is no failure of a theorem.
settings.register_profile("steering", deadline=None)
settings.load_profile("steering")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items):
    """Files stay together on one worker, and a study's with the finished study that they share."""
    for item in items:
        folder = item.path.parent.name
        shares = folder in ("study", "integration") and item.path.name != "test_cluster.py"
        item.add_marker(pytest.mark.xdist_group(folder if shares else str(item.path)))


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(scope="session")
def toy_model() -> DiffusionModel:
    """All 70 sites at the pocket's widths, random weights, 64x64 pictures: every theorem about plumbing holds here."""
    from transformers import CLIPTokenizer

    torch.manual_seed(1)
    unet, encoder = architecture.new_unet().eval(), architecture.new_text_encoder().eval()
    vae = architecture.new_vae().eval()
    for module in unet.modules():
        # Default initialisation leaves text almost without influence; a test of steering needs some.
        if module.__class__.__name__ == "Attention":
            torch.nn.init.normal_(module.to_out[0].weight, std=0.3)
    return DiffusionModel(
        unet=unet.requires_grad_(False),
        encoders=(TextEncoder(CLIPTokenizer.from_pretrained(SD15 / "tokenizer"), encoder.requires_grad_(False)),),
        vae=vae.requires_grad_(False),
        schedule=NoiseSchedule.scaled_linear(),
        prediction="v_prediction",
        family="pocket",
        name="toy",
        size=64,
    )


def hook_count(unet: torch.nn.Module) -> int:
    """Number of forward and pre-forward hooks anywhere in a module."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in unet.modules())


@pytest.fixture
def hooks_left(toy_model):
    """A function that counts hooks on the toy UNet; the test fails if any is left at its end."""
    yield lambda: hook_count(toy_model.unet)
    assert hook_count(toy_model.unet) == 0
    assert not any("forward" in vars(module) for module in toy_model.unet.modules())  # what hooks show to a compiler


def steering(*words, check=True):
    """Run the command in this process: its standard output, standard error and exit status."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            status = end.code or 0
    assert not check or status == 0, err.getvalue()
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())
