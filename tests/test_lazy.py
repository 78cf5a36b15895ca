"""The package answers before torch is loaded, and gives everything it names."""

import subprocess
import sys

import pytest

import steering

HEAVY = ("torch", "numpy", "scipy", "diffusers", "transformers", "matplotlib", "pandas", "optuna", "ray")


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("command", ["--help", "--version", "build --help", "study --help", "generate --help"])
def test_the_command_line_helps_before_anything_heavy_is_loaded(command):
    code = (
        "import sys\nfrom steering.cli.main import main\n"
        f"try:\n    main({command.split()!r})\nexcept SystemExit:\n    pass\n"
        f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert run(code).strip().endswith("loaded []")
    assert "loaded ['torch'" in run(code.replace("print('loaded'", "import torch\nprint('loaded'"))  # it would be seen


def test_every_name_is_there_and_nothing_else():
    for name in steering.__all__:
        assert getattr(steering, name) is not None
    assert set(steering.__all__) <= set(dir(steering))
    assert set(steering.__all__) == {*steering._WHERE, "SteeringError", "__version__"}
    with pytest.raises(AttributeError, match="nothing_of_ours"):
        _ = steering.nothing_of_ours


def test_a_name_is_looked_up_once():
    asked = "a = steering.SteeringVector"
    same = "print('SteeringVector' in vars(steering), a is steering.SteeringVector)"
    assert run(f"import steering\n{asked}\n{same}").split() == ["True", "True"]
