"""Where a command's model runs reaches whoever loads it."""

import torch

from steering.cli.placement import HERE, Placement

from ..conftest import steering


def test_nothing_said_leaves_everything_to_the_machine():
    assert HERE.arguments() == {"device": "auto", "dtype": None, "offload": False, "scheduler": None}


def test_what_is_said_is_done():
    model = Placement(device="cpu", dtype="bfloat16", scheduler="sgm_uniform").load("pocket")
    assert (model.dtype, model.scheduler, model.device.type) == (torch.bfloat16, "sgm_uniform", "cpu")


def test_thresholds_are_measured_at_the_noise_levels_of_the_capture():
    assert HERE.as_captured({"scheduler": "sgm_uniform"}).scheduler == "sgm_uniform"
    assert Placement(scheduler="normal").as_captured({"scheduler": "sgm_uniform"}).scheduler == "normal"
    assert HERE.as_captured({"scheduler": "karras"}) == HERE.as_captured({}) == HERE  # a graph's, which we have not


def test_every_command_that_loads_a_model_takes_it(tmp_path):
    out = tmp_path / "p.png"
    words = ("generate", "pocket", "--prompt", "a dog", "--steps", 1, "--size", 64, "--out", out)
    steering(*words, "--device", "cpu", "--dtype", "bfloat16", "--offload", "--scheduler", "sgm_uniform")
    for command in (
        "capture",
        "generate",
        "sweep",
        "map",
        "study",
        "tune",
        "evaluate",
        "greedy",
        "export-lora",
        "build",
    ):
        said = steering(command, "--help").stdout
        assert all(f"--{option}" in said for option in ("device", "dtype", "offload", "scheduler")), command
    assert "float64" in steering(*words, "--dtype", "float64", check=False).stderr
