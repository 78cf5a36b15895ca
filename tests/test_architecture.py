"""The dependency order of the package, as a test: read from the source, nothing is imported."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "steering"

GROUND = {"version", "errors", "checks", "files", "work_files", "families", "sites", "schedule", "linalg", "folds"}
"""Files at the top: what everything stands on."""
ORDER = [
    "pocket",
    "concepts",
    "models",
    "activations",
    "scores",
    "directions",
    "vectors",
    "interventions",
    "lora",
    "evaluate",
    "plots",
    "study",
    "tune",
    "cli",
]
"""Folders of the package; each imports the ground and the folders before it, and nothing else."""

HOST = {"comfy", "comfy_api", "comfy_extras", "nodes", "folder_paths", "server", "execution"}
HEAVY = {"diffusers", "transformers", "open_clip", "cyclopts", "rich", "jinja2", "matplotlib", "scipy", "PIL"}
HEAVY |= {"nudenet", "onnxruntime", "cv2", "openai", "lpips", "torch_fidelity"}
CORE = GROUND | set(ORDER[1 : ORDER.index("lora") + 1])


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path, top_level_only: bool = False):
    """(level of relativity, module) of every import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.level, node.module
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, name.name) for name in node.names)


MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def test_every_room_has_a_place_in_the_order():
    assert {room(path) for path in MODULES} - {"__init__", "__main__"} == GROUND | set(ORDER)


UPWARD = {("vectors/vector.py", "interventions.entry")}
"""A vector makes its own entry (`SteeringVector.entry`), inside that method alone."""


def local_imports(path: Path):
    """(room, whole module) of every import of the package itself, whatever its dots."""
    parts = path.relative_to(PACKAGE).parts
    for relative, module in imports(path):
        assert module.split(".")[0] != "steering" or relative, f"{path.name} imports itself absolutely: {module}"
        if relative:
            whole = [*parts[: len(parts) - relative], *module.split(".")]
            if (path.relative_to(PACKAGE).as_posix(), ".".join(whole)) in UPWARD:
                continue
            yield whole[0], ".".join(whole)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_order(path):
    here = room(path)
    if here in ("__init__", "__main__"):
        return
    for there, module in local_imports(path):
        if there in GROUND or (there == here and here in ORDER):
            continue
        assert here in ORDER and ORDER.index(there) < ORDER.index(here), f"{here} must not import {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_the_host(path):
    assert not {module.split(".")[0] for level, module in imports(path) if level == 0} & HOST


def test_the_core_needs_torch_numpy_safetensors_and_scipy_only():
    for path in MODULES:
        if room(path) in CORE and path != PACKAGE / "models" / "loading.py":  # whose subject they are
            found = {module.split(".")[0] for level, module in imports(path) if level == 0}
            assert not found & HEAVY - {"scipy"}, f"{path.name} imports {found & HEAVY}"


def test_heavy_libraries_are_imported_where_they_are_used():
    for path in MODULES:
        if room(path) in CORE:
            found = {module.split(".")[0] for level, module in imports(path, top_level_only=True) if level == 0}
            assert not found & HEAVY, f"{path.name} imports {found & HEAVY} at module level"


def test_modules_do_not_import_each_other_in_circles():
    edges = {}
    for path in MODULES:
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        edges[name] = {module for _, module in local_imports(path)}
    waiting = set(edges)
    while waiting:
        free = {name for name in waiting if not edges[name] & waiting - {name}}
        assert free, f"import circle among {sorted(waiting)}"
        waiting -= free


def test_modules_and_functions_stay_short():
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 300, f"{path.name} has {text.count(chr(10))} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60 or room(path) == "cli", (
                    f"{node.name} is long"
                )  # options are a schema


def test_no_code_asks_for_a_family_by_its_name():
    """What differs from family to family stands in its row, where another one can be added."""
    asks = re.compile(r"""famil\w*(?:\.name)?\s*(?:(?:==|!=)\s*["']|in \s*[\[({])""")
    for path in (*MODULES, *(ROOT / "nodes").glob("*.py")):
        found = asks.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path.name}: {found}"


def test_every_module_has_a_test_file():
    for path in MODULES:
        if path.name == "__init__.py" or path.stem in {"version", "__main__", "concepts", "architecture"}:
            continue
        relative = path.relative_to(PACKAGE)
        assert (ROOT / "tests" / relative.parent / f"test_{relative.name}").is_file(), f"no test for {relative}"


def test_the_root_imports_nothing_when_pytest_reads_it():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    assert not [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


def test_requirements_are_the_dependencies_and_hold_no_torch():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")  # tomllib is younger than Python 3.10
    declared = ast.literal_eval(re.search(r"^dependencies = (\[.*?\])", text, re.M | re.S)[1])
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    assert lines == declared
    assert not any(line.startswith("torch") for line in lines)
