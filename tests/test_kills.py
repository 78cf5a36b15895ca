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


CACHED = """
import sys, types
from pathlib import Path
import torch
root, folder = Path(sys.argv[1]), Path(sys.argv[2])
for name, path in (("pack", root), ("pack.nodes", root / "nodes")):  # the nodes' package itself wants ComfyUI
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(path)]
from pack.nodes.cache import CaptureCache
from pack.steering.activations.store import Activations
from pack.steering.sites import Site
cache = CaptureCache(folder, limit=40_000_000)
for turn in range(12):  # three fit: the others are pruned, and made again
    key = turn % 4
    entry = cache.entry(f"{key}", {"picture": torch.full((4, 16, 16), 1.0 + key)})
    done = cache.load(entry)
    if done is None:
        values = torch.randn(2, 10, 4, 20_000, generator=torch.Generator().manual_seed(key))
        done = Activations({Site.parse("in4.attn2"): values}, torch.tensor([8.0, 4.0, 2.0, 1.0]), {"concept": str(key)})
        cache.store(entry, done)
    assert float(done.tensors[Site.parse("in4.attn2")].sum()) == float(
        torch.randn(2, 10, 4, 20_000, generator=torch.Generator().manual_seed(key)).sum()
    ) and done.metadata["concept"] == str(key), "another capture's activations"
"""


def test_the_nodes_cache_of_captures_survives_kills(tmp_path):
    words = [sys.executable, "-c", CACHED, str(ROOT), str(tmp_path / "cache")]
    started = time.monotonic()
    run(words)
    taken, rng, hit = time.monotonic() - started, random.Random("cache"), 0
    shutil.rmtree(tmp_path / "cache")
    for _ in range(KILLS):  # each goes on in what the last one left
        process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.4, 1.0) * taken)
        process.send_signal(signal.SIGKILL)
        hit += process.wait() == -signal.SIGKILL
        for path in (tmp_path / "cache").rglob("*.safetensors"):
            read_header(path)
    run(words)
    assert hit > KILLS / 2
