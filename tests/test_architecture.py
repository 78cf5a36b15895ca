"""The dependency order of the package, as a test: read from the source, nothing is imported."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "steering"

LEVELS = [
    {"version", "files", "sites", "pairs", "schedule"},
    {"activations", "vector", "interventions", "hooks", "contrast", "whitening", "backgrounds"},
    {"navigator", "directions"},
    {"build", "recording", "steer", "combine", "contrast_search"},
    {"capture", "observation", "maps", "bake"},
    {"pocket"},
    {"diffusion", "lora", "greedy"},
    {"evaluate"},
    {"study"},
    {"demo", "terminal", "tune"},
    {"cli_study", "cli_tune", "cli_pictures", "cli_vectors"},
    {"cli"},
]
"""Rooms of the package; each imports only rooms above it, or beside it in an acyclic way."""

HOST = {"comfy", "comfy_api", "comfy_extras", "nodes", "folder_paths", "server", "execution"}
HEAVY = {"diffusers", "transformers", "open_clip", "typer", "rich", "jinja2", "matplotlib", "scipy", "PIL"}
HEAVY |= {"nudenet", "onnxruntime", "cv2", "openai", "lpips", "torch_fidelity"}
CORE = set().union(*LEVELS[:5])


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
    assert {room(path) for path in MODULES} - {"__init__"} == set().union(*LEVELS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_order(path):
    if path == PACKAGE / "__init__.py":
        return
    here = room(path)
    depth = len(path.relative_to(PACKAGE).parts)
    rank = next(i for i, level in enumerate(LEVELS) if here in level)
    for relative, module in imports(path):
        assert module.split(".")[0] != "steering", f"{path.name} imports itself absolutely: {module}"
        if relative == depth:  # as many dots as reach the package's root
            there = module.split(".")[0]
            below = next(i for i, level in enumerate(LEVELS) if there in level)
            assert below < rank or (below == rank and there != here), f"{here} must not import {there}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_the_host(path):
    assert not {module.split(".")[0] for level, module in imports(path) if level == 0} & HOST


def test_the_core_needs_torch_numpy_and_safetensors_only():
    for path in MODULES:
        if room(path) in CORE:
            found = {module.split(".")[0] for level, module in imports(path) if level == 0}
            assert not found & HEAVY, f"{path.name} imports {found & HEAVY}"


def test_heavy_libraries_are_imported_where_they_are_used():
    allowed = {"cli", "cli_study", "cli_tune", "cli_pictures", "cli_vectors", "terminal"}
    allowed |= {"evaluate", "study", "pocket", "demo"}
    for path in MODULES:
        if room(path) not in allowed:
            found = {module.split(".")[0] for level, module in imports(path, top_level_only=True) if level == 0}
            assert not found & HEAVY, f"{path.name} imports {found & HEAVY} at module level"


def test_beside_means_acyclic():
    edges = {
        (room(path), module.split(".")[0])
        for path in MODULES
        if path.parent == PACKAGE and path.name != "__init__.py"
        for level, module in imports(path)
        if level == 1
    }
    order: list[str] = []
    waiting = set().union(*LEVELS)
    while waiting:
        free = {name for name in waiting if not any(a == name and b in waiting for a, b in edges)}
        assert free, f"import cycle among {waiting}"
        order += sorted(free)
        waiting -= free


def test_every_module_has_a_test_file():
    for path in MODULES:
        if path.name == "__init__.py" or path.stem in {"version", "concepts", "architecture"}:
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
