"""The package answers before torch is loaded, and gives everything it names."""

import re
import subprocess
import sys
from pathlib import Path

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


def test_what_the_nodes_import_draws_and_counts_only_when_asked():
    """matplotlib and scipy's statistics take half a second each, which every start of ComfyUI would pay."""
    nodes = Path(__file__).parent.parent / "nodes"
    needed = {
        name
        for path in nodes.glob("*.py")
        for name in re.findall(r"from \.\.(steering[\w.]*) import", path.read_text())
    }
    assert len(needed) > 20
    found = (
        "print([name for name in ('matplotlib', 'scipy.stats', 'diffusers', 'transformers') if name in sys.modules])"
    )
    imports = f"import sys, importlib\nfor name in {sorted(needed)}: importlib.import_module(name)\n"
    assert run(imports + found).strip() == "[]"
    drawn = "from steering.plots.figures import cosine_figure\nimport numpy\ncosine_figure(['a'], numpy.ones((1, 1)))\n"
    counted = "from steering.evaluate.statistics import share\nshare(numpy.array([True]))\n"
    assert run(imports + drawn + counted + found).strip() == "['matplotlib', 'scipy.stats']"
