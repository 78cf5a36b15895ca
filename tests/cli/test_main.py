import re
import subprocess
import sys

import pytest

from steering.directions.methods import DIRECTIONS
from steering.interventions.presets import PRESETS
from steering.sites import KINDS, TEXT_KIND

from ..conftest import steering


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("capture", "nowhere", "dog", "--out", "x.safetensors"), "neither 'pocket'"),
        (("capture", "pocket", "unicorn", "--out", "x.safetensors"), "dog, key, neutral, sketch, van_gogh"),
        (("capture", "pocket", "dog", "--out", "x.pt"), "must end in .safetensors"),
        (("capture", "pocket", "dog", "--out", "x.safetensors", "--sites", "attn9"), "attn9"),
        (("score", "missing.safetensors"), "there is no file"),
        (("score", "{made}/v.safetensors"), "holds 'vector'"),
        (("build", "{made}/acts.safetensors", "--out", "x.safetensors", "--direction", "x"), "mean, pca, cpca"),
        (("build", "{made}/acts.safetensors", "--out", "x.safetensors", "--recommend", "precise"), "PRESET:STRENGTH"),
        (
            ("build", "{made}/acts.safetensors", "--out", "x.safetensors", "--recommend", "precise:nan"),
            "PRESET:STRENGTH",
        ),
        (("inspect", "{made}/mine.csv"), "not a safetensors"),
        (("demo", "--concept", "unicorn"), "dog, van_gogh, violence"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_status_2(made, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = steering(*(str(word).format(made=made) for word in words), check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("build", DIRECTIONS),
        ("capture", [*KINDS, TEXT_KIND]),
        *((command, PRESETS) for command in ("generate", "evaluate", "sweep")),
    ],
)
def test_help_names_all_that_an_option_takes(command, names):
    shown = set(re.findall(r"[\w-]+", steering(command, "--help").stdout))
    assert set(names) <= shown


def test_version_and_help():
    assert steering("--version").stdout.strip() == "0.1.0"
    shown = steering("--help").stdout
    assert all(command in shown for command in ("demo", "capture", "score", "build", "generate", "inspect", "map"))


def test_the_installed_command_ends_without_a_traceback():
    done = subprocess.run([sys.executable, "-m", "steering", "inspect", "nothing"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.strip() == "steering: there is no file nothing"
