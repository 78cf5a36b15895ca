"""Commands killed at random times, in the middle of whatever they do: the same command ends as if it had not been.

Sixty kills, some twenty minutes: ``pytest -m slow tests/test_kills.py``.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors import safe_open

from steering.files import read_header

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kills by signal")]

ROOT = Path(__file__).parent.parent
KILLS = 12
SMALL = ("--steps", "2", "--size", "64")
COMMANDS = {
    "capture": ("capture", "pocket", "{}/pairs.csv", "--out", "{}/out.safetensors", "--sites", "attn2", *SMALL),
    "build": ("build", "{}/acts.safetensors", "--out", "{}/out.safetensors", "--top-k", "3"),
    "export": ("export-lora", "{}/constant.safetensors", "pocket", "--out", "{}/out.safetensors"),
    "study": ("study", "pocket", "--out", "{}/work", "--concepts", "dog", "--quick", "--prompts", "2", *SMALL),
    "tune": ("tune", "pocket", "dog", "--out", "{}/out.safetensors", "--folder", "{}/work", "--quick", *SMALL),
}


def command(name, folder):
    return [sys.executable, "-m", "steering", *(word.format(folder) for word in COMMANDS[name])]


def run(words):
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """What the commands begin with."""
    folder = tmp_path_factory.mktemp("start")
    places = ("on the beach", "in a room", "at night", "in the snow", "in the desert", "in a park")
    rows = [f"a dog {place},a cat {place}" for place in places]
    (folder / "pairs.csv").write_text("\n".join(["positive,negative", *rows]))
    steering = [sys.executable, "-m", "steering"]
    acts = folder / "acts.safetensors"
    run([*steering, "capture", "pocket", folder / "pairs.csv", "--out", acts, "--sites", "attn2", *SMALL])
    constant = folder / "constant.safetensors"
    run([*steering, "build", acts, "--out", constant, "--time", "constant", "--select", "attn2"])
    return folder


def results(folder):
    """Everything that a reader would look at, by name."""
    found = {path.name: contents(path) for path in folder.glob("out.safetensors")}
    for path in folder.glob("work/results.json"):
        found[path.name] = json.loads(path.read_text())
    found |= {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("work/**/*.png")}
    found |= {path.name: json.loads(path.read_text()) for path in folder.glob("work/tune.json")}
    return found


def contents(path):
    """What a tensor file holds; safetensors writes several entries beside the tensors in any order."""
    with safe_open(path, "pt") as file:
        return file.metadata(), {name: file.get_tensor(name).numpy().tobytes() for name in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_ends_as_if_it_had_not_been(start, tmp_path, name):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    shutil.copytree(start, whole)
    started = time.monotonic()
    run(command(name, whole))
    taken, expected, rng, hit = time.monotonic() - started, results(whole), random.Random(name), 0
    assert expected
    for _ in range(KILLS):
        shutil.rmtree(killed, ignore_errors=True)
        shutil.copytree(start, killed)
        process = subprocess.Popen(
            command(name, killed), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.3, 1.0) * taken)  # the first third only imports
        process.send_signal(signal.SIGKILL)
        hit += process.wait() == -signal.SIGKILL
        for path in killed.rglob("*.safetensors"):  # whole or not at all, at any time
            read_header(path)
        run(command(name, killed))
        assert results(killed) == expected
    assert hit > KILLS / 2  # the others ended before their time
