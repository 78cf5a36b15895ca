import json
import os
import signal
import subprocess
import sys
import time

from ..conftest import steering


def test_the_chain_leaves_its_files_and_nothing_else(made):
    assert sorted(path.name for path in made.iterdir()) == [
        "acts.safetensors",
        "heat.png",
        "mine.csv",
        "scores.json",
        "v.safetensors",
    ]


def test_a_recommendation_is_what_the_file_then_says(made, tmp_path):
    out = tmp_path / "v.safetensors"
    steering("build", made / "acts.safetensors", "--out", out, "--recommend", "lora:1.5")
    advice = json.loads(steering("inspect", out, "--json").stdout)["metadata"]["recommended"]
    assert advice == {"preset": "lora", "strength": 1.5}


def test_calibrate_gives_the_vector_what_the_selective_preset_needs(made, tmp_path):
    acts, out, picture = made / "acts.safetensors", tmp_path / "v.safetensors", tmp_path / "p.png"
    draw = ("generate", "pocket", "--prompt", "a dog", "--steps", 2, "--size", 64, "--out", picture, "--preset")
    steering("build", acts, "--out", out)
    refused = steering(*draw, "selective", "--vector", out, check=False)
    assert refused.returncode == 2 and "threshold" in refused.stderr
    steering("build", acts, "--out", out, "--calibrate", "pocket")
    assert json.loads(steering("inspect", out, "--json").stdout)["thresholds"] == "with"
    steering(*draw, "selective", "--vector", out)
    assert picture.is_file()


def test_where_a_model_runs_is_asked_only_where_one_is_loaded(made, tmp_path):
    words = ("build", made / "acts.safetensors", "--out", tmp_path / "v.safetensors", "--dtype", "bfloat16")
    refused = steering(*words, check=False)
    assert refused.returncode == 2 and "are for --calibrate" in refused.stderr
    assert not (tmp_path / "v.safetensors").exists()


def test_ctrl_c_keeps_finished_batches_and_leaves_no_half_written_file(tmp_path):
    out = tmp_path / "acts.safetensors"
    words = ["capture", "pocket", "dog", "--out", str(out), "--batch", "1", "--steps", "10"]
    # A shell that runs the tests in the background leaves SIGINT ignored, and children inherit that.
    process = subprocess.Popen(
        [sys.executable, "-m", "steering", *words],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    parts, deadline = tmp_path / ".acts_parts", time.time() + 120
    while not (parts.is_dir() and list(parts.glob("0*.safetensors"))) and time.time() < deadline:
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert not out.exists()
    assert list(parts.glob("0*.safetensors"))
    assert not list(tmp_path.glob("**/*.tmp"))
