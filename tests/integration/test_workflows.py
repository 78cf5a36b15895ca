"""The shipped workflows run in a real ComfyUI, as shipped."""

import asyncio
import inspect
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import COMFYUI, PACK, internals
from .narrow_comfy import register, write_for_comfy

WORKFLOWS = PACK / "workflows" / "api"
CHECKPOINT = "v1-5-pruned-emaonly-fp16.safetensors"


def load(name):
    return json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def folders(comfy, tmp_path, monkeypatch):
    """Every folder that a workflow writes to, below a temporary one."""
    import folder_paths

    for name in ("user", "output", "temp", "input"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(folder_paths, f"{name}_directory", str(tmp_path / name))
    for name in ("steering_vectors", "steering_activations", "steering_pairs", "checkpoints", "loras"):
        paths, endings = folder_paths.folder_names_and_paths[name]
        (tmp_path / name).mkdir()
        monkeypatch.setitem(folder_paths.folder_names_and_paths, name, ([str(tmp_path / name), *paths], endings))
    return tmp_path


def run(graph):
    """Outputs by node id, and the ids of the nodes that came from the cache."""
    import execution

    class Server:
        client_id = last_node_id = last_prompt_id = None

        def send_sync(self, *_args, **_kwargs):
            pass

    valid, error, outputs, errors = asyncio.run(execution.validate_prompt("test", graph, None))
    assert valid, (error, errors)
    # From 0.4 on it has no default for how much is kept.
    named = "cache_args" in inspect.signature(execution.PromptExecutor).parameters
    kept = {"cache_args": {"lru": 0, "ram": 0.0, "ram_inactive": 0.0}} if named else {}
    executor = execution.PromptExecutor(Server(), **kept)
    executor.execute(graph, "test", {}, outputs)
    assert executor.success, executor.status_messages[-1]
    return executor.history_result["outputs"]


def pictures(folders, output):
    import numpy as np
    from PIL import Image

    entries = [image for part in output.values() for image in part.get("images", ())]
    return {e["filename"]: np.asarray(Image.open(folders / "temp" / e["filename"])) for e in entries}


def shown(graph, outputs, folders, *titles):
    """The pictures ``uint8 [N, H, W, 3]`` of the previews of these titles."""
    import numpy as np

    found = {graph[key]["_meta"]["title"]: pictures(folders, {key: part}) for key, part in outputs.items()}
    return [np.stack(list(found[title].values())) for title in titles]


def the_dog_is_gone_and_the_cat_is_not(graph, outputs, folders):
    from steering.pocket.judge import judge

    original, steered = map(judge, shown(graph, outputs, folders, "Original", "Steered"))
    assert original.presence(("dog",)).mean() > 85
    assert steered.presence(("dog",)).mean() < 15
    # Of a companion that is named after the dog a quarter may go with it; see docs/removal.md.
    assert (steered.kept(("cat",)) > 50).mean() >= 0.75


def test_the_quick_start_takes_the_dog_out(folders):
    graph = load("01_quickstart_pocket")
    the_dog_is_gone_and_the_cat_is_not(graph, run(graph), folders)


def test_two_vectors_take_out_two_concepts(folders):
    from steering.pocket.judge import judge

    graph = load("05_two_vectors_pocket")
    original, steered = map(judge, shown(graph, run(graph), folders, "Original", "Steered"))
    for concept in ("dog", "van_gogh"):
        assert original.presence((concept,)).mean() > 85
        assert steered.presence((concept,)).mean() < 15


def test_a_dog_is_replaced_with_a_cat_and_the_tree_stays(folders):
    from steering.pocket.judge import judge

    graph = load("06_replace_dog_with_cat_pocket")
    outputs = run(graph)
    original, steered = map(judge, shown(graph, outputs, folders, "Original", "Steered"))
    assert original.presence(("dog",)).mean() > 85 > 15 > original.presence(("cat",)).mean()
    assert steered.presence(("dog",)).mean() < 15
    assert steered.presence(("cat",)).mean() > 50
    assert steered.kept(("tree",)).mean() > 85
    (where,) = shown(graph, outputs, folders, "Where the dog is")
    assert where.std() > 20


def test_the_exported_lora_draws_the_steered_picture(folders):
    import folder_paths
    import numpy as np

    from steering.pocket.judge import judge

    graph = load("07_export_lora_pocket")
    outputs = run(graph)
    original, steered, baked = shown(graph, outputs, folders, "Original", "Steered", "LoRA")
    before, after = judge(original), judge(steered)
    assert before.presence(("van_gogh",)).mean() > 85
    assert after.presence(("van_gogh",)).mean() < 15
    assert after.kept(("dog", "house")).mean() > 85
    # Float32 noise of thirty steps, rounded to bytes.
    assert np.abs(steered.astype(int) - baked).max() <= 2
    assert (folders / "loras" / "without_van_gogh.safetensors").is_file()
    # The muted group, unmuted: its nodes as the frontend would send them.
    folder_paths.filename_list_cache.clear()
    key = next(key for key, node in graph.items() if node["class_type"] == "LoraModelLoader")
    pocket = graph[key]["inputs"]["model"]
    graph[key] = {
        "class_type": "LoraLoaderModelOnly",
        "inputs": {"model": pocket, "lora_name": "without_van_gogh.safetensors", "strength_model": 1.0},
        "_meta": {"title": "file"},
    }
    (filed,) = shown(graph, run(graph), folders, "LoRA")
    assert np.abs(filed.astype(int) - steered).max() <= 2


def test_the_sweep_says_what_each_strength_costs(folders):
    graph = load("08_strength_sweep_pocket")
    (grid,) = pictures(folders, run(graph)).values()
    tiles = cut(grid, 6, 6, side=128)
    assert len({tile.tobytes() for tile in tiles}) == 6
    below = grid[-40:]  # presence and drift
    assert (below < 128).sum() > 200


def test_the_pocket_workflow_builds_a_vector_that_works(folders):
    graph = load("02_build_a_vector_pocket")
    the_dog_is_gone_and_the_cat_is_not(graph, run(graph), folders)
    saved = folders / "steering_vectors" / "my_pocket_dog.safetensors"
    assert saved.is_file()
    from steering.vectors.vector import SteeringVector

    assert SteeringVector.load(saved).metadata["concept"] == "dog"


def test_the_workflows_of_sd15_run_on_a_narrow_stand_in(comfy, folders):
    import folder_paths

    write_for_comfy("sd15", folders / "narrow", folders / "checkpoints" / CHECKPOINT)
    register("sd15")
    pairs = folders / "steering_pairs" / "two.csv"
    pairs.write_text("positive,negative\na dog,a cat\na dog runs,a cat runs\n", encoding="utf-8")
    graph = load("03_sd15_remove_dog")
    for node in graph.values():  # smaller, and nothing else changed
        small = {"steps": 2, "width": 64, "height": 64, "concept": "two.csv"}
        node["inputs"] |= {name: value for name, value in small.items() if name in node["inputs"]}
    outputs = run(graph)
    assert (folders / "steering_vectors" / "sd15_dog.safetensors").is_file()
    assert len(pictures(folders, outputs)) >= 3
    folder_paths.filename_list_cache.clear()
    graph = load("04_sd15_apply_vector")
    for node in graph.values():
        small = {"steps": 2, "width": 64, "height": 64}
        node["inputs"] |= {name: value for name, value in small.items() if name in node["inputs"]}
    (grid,) = pictures(folders, run(graph)).values()
    tiles = cut(grid, 3, 6)
    assert len({tile.tobytes() for tile in tiles}) == 6  # every strength draws another picture
    (original,) = (pictures(folders, {key: part}) for key, part in outputs.items() if graph_title(key) == "Original")
    apart = tiles[0].astype(int) - next(iter(original.values()))
    assert abs(apart).max() <= 1  # strength 0 is the original; previews cut off where the grid rounds


def test_the_workflows_of_sdxl_run_on_a_narrow_stand_in(comfy, folders):
    import folder_paths

    write_for_comfy("sdxl", folders / "narrow", folders / "checkpoints" / "sd_xl_base_1.0.safetensors")
    register("sdxl")
    (folders / "steering_pairs" / "two.csv").write_text("positive,negative\na dog,a cat\na dog runs,a cat runs\n")
    small = {"steps": 2, "width": 64, "height": 64, "concept": "two.csv"}
    graph = load("10_sdxl_build_a_style_vector")
    for node in graph.values():  # smaller, and nothing else changed
        node["inputs"] |= {name: value for name, value in small.items() if name in node["inputs"]}
    original, steered = pictures(folders, run(graph)).values()
    assert (folders / "steering_vectors" / "sdxl_van_gogh.safetensors").is_file()
    assert (original != steered).any()
    folder_paths.filename_list_cache.clear()
    graph = load("11_sdxl_apply_vector")
    for node in graph.values():
        node["inputs"] |= {name: value for name, value in small.items() if name in node["inputs"]}
    (grid,) = pictures(folders, run(graph)).values()
    tiles = cut(grid, 5, 5)
    assert len({tile.tobytes() for tile in tiles}) == 5  # every strength draws another picture


def graph_title(key):
    return load("03_sd15_remove_dog")[key]["_meta"]["title"]


def cut(grid, columns, count, side=64):
    """The pictures of a labelled grid: the only squares of their size that no row or column of white cuts."""
    head, gap = (max(12, side // 16) + 8), 6
    places = [(gap + i % columns * (side + gap), gap + i // columns * (side + head + gap) + head) for i in range(count)]
    return [grid[top : top + side, left : left + side] for left, top in places]


def test_the_committed_schemas_are_those_of_the_nodes(comfy):
    """They are what workflows and help pages are checked against where there is no ComfyUI."""
    known = json.loads((PACK / "tests" / "data" / "object_info.json").read_text(encoding="utf-8"))
    # Lists of files differ from machine to machine, and lists of samplers from version to version.
    files = {"vector_name", "file_name", "concept", "sampler_name", "scheduler"}
    for name in (name for name in known if name.startswith("Steering")):
        live = json.loads(json.dumps(getattr(comfy, name).GET_NODE_INFO_V1()))
        for need, inputs in known[name]["input"].items():
            assert list(live["input"][need]) == list(inputs), name
            for entry, value in inputs.items():
                assert entry in files or known_to_all(live["input"][need][entry]) == known_to_all(value), (
                    f"{name}.{entry}"
                )
        for key in ("output", "display_name", "description", "output_tooltips"):
            assert live[key] == known[name][key], f"{name}: {key}"


def known_to_all(value):
    """An input without what only newer versions say of it."""
    kind, *more = value
    return [kind, *({key: part for key, part in some.items() if key != "advanced"} for some in more)]


def test_inputs_are_folded_and_nodes_found_where_the_frontend_can(comfy):
    hints = internals(comfy, "comfy_schema")
    for name in {*hints.ALIASES, *hints.FOLDED}:
        live = getattr(comfy, name).GET_NODE_INFO_V1()
        inputs = {**live["input"]["required"], **live["input"].get("optional", {})}
        folded = set(hints.FOLDED.get(name, ()))
        assert folded <= set(inputs)
        if "search_aliases" in live:  # from 0.4 on
            assert tuple(live["search_aliases"] or ()) == hints.ALIASES.get(name, ())
            assert {entry for entry, (_, *more) in inputs.items() if more and more[0].get("advanced")} == folded


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("SteeringApply", {"start_percent": 0.8, "end_percent": 0.2}, "is no part of 0 to 1"),
        ("SteeringApply", {"mode": "replace"}, "connect replace_with"),
        ("SteeringApply", {"vector": None}, "vector takes STEERING_VECTOR"),
        ("SteeringApply", {"mode": "remove"}, "not one of"),
        ("SteeringExportLora", {"mode": "replace"}, "connect replace_with"),
        ("SteeringExportLora", {"vector": None}, "vector takes STEERING_VECTOR"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(comfy, kind, changes, message):
    import execution

    graph = load("07_export_lora_pocket")
    (key,) = (key for key, node in graph.items() if node["class_type"] == kind)
    pocket = next(key for key, node in graph.items() if node["class_type"] == "SteeringLoadPocket")
    assert asyncio.run(execution.validate_prompt("test", graph, None))[0]
    graph[key]["inputs"] |= {name: [pocket, 0] if name == "vector" else value for name, value in changes.items()}
    valid, error, _, errors = asyncio.run(execution.validate_prompt("test", graph, None))
    said = json.dumps([error, errors], default=str)
    assert message in said
    assert not valid or key in errors  # other outputs may still run


FINGERPRINTED = ("SteeringEvaluate", "SteeringLoadVector", "SteeringLoadPairs", "SteeringQuick")
KINDS = ("STRING", "FLOAT", "INT", "BOOLEAN", "COMBO")


class Values:
    """A node of another pack that gives one of each kind of widget's values."""

    RETURN_TYPES, FUNCTION, CATEGORY = KINDS, "give", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def give(self):
        return "", 0.5, 1, True, "suppress"


@pytest.mark.parametrize(
    ("workflow", "kind"),
    [
        ("07_export_lora_pocket", "SteeringApply"),
        ("07_export_lora_pocket", "SteeringExportLora"),
        ("12_evaluate_pocket", "SteeringEvaluate"),
        ("12_evaluate_pocket", "SteeringLoadVector"),
        ("02_build_a_vector_pocket", "SteeringLoadPairs"),
        ("09_from_a_word_pocket", "SteeringQuick"),
    ],
)
def test_another_node_may_give_what_a_widget_holds(comfy, monkeypatch, workflow, kind):
    """ComfyUI asks nodes before anything runs, with None in the place of what comes over a link."""
    import execution

    monkeypatch.setitem(comfy.nodes.NODE_CLASS_MAPPINGS, "Values", Values)
    graph = load(workflow) | {"values": {"class_type": "Values", "inputs": {}}}
    key = next(key for key, node in graph.items() if node["class_type"] == kind)
    node, info = graph[key], getattr(comfy, kind).INPUT_TYPES()
    kinds = {
        name: "COMBO" if isinstance(what, list) else what for part in info.values() for name, (what, *_) in part.items()
    }
    widgets = {name: value for name, value in node["inputs"].items() if not isinstance(value, list)}
    assert widgets
    for name in widgets:
        linked = {**node["inputs"], name: ["values", KINDS.index(kinds[name])]}
        valid, error, _, errors = asyncio.run(
            execution.validate_prompt("test", graph | {key: {**node, "inputs": linked}}, None)
        )
        assert valid and not errors, (name, error, errors)
        if kind in FINGERPRINTED:
            assert getattr(comfy, kind).fingerprint_inputs(**{**node["inputs"], name: None}) is not None


def test_a_concept_that_is_not_read_need_not_be_there(comfy):
    import execution

    graph = load("09_from_a_word_pocket")
    (key,) = (key for key, node in graph.items() if node["class_type"] == "SteeringQuick")
    assert "pairs" in graph[key]["inputs"]
    graph[key]["inputs"]["concept"] = "of_another_machine.csv"
    assert asyncio.run(execution.validate_prompt("test", graph, None))[0]
    del graph[key]["inputs"]["pairs"]
    _, _, _, errors = asyncio.run(execution.validate_prompt("test", graph, None))
    assert "of_another_machine" in json.dumps(errors, default=str)


def test_workflow_04_without_03_says_what_to_do(comfy, folders):
    with pytest.raises(FileNotFoundError, match="run workflow 03"):
        comfy.SteeringLoadVector.execute("sd15_dog.safetensors")


OTHER_PACK = """
from .nodes.things import NODE_CLASS_MAPPINGS
"""
OTHER_NODES = """
class Thing:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}
    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "other"
    def run(self):
        return (1,)
NODE_CLASS_MAPPINGS = {"OtherThing": Thing}
"""


def test_a_fresh_installation_beside_a_pack_with_a_nodes_folder(comfy, tmp_path):
    packs = tmp_path / "custom_nodes"
    other = packs / "a-other-pack" / "nodes"
    other.mkdir(parents=True)
    (other.parent / "__init__.py").write_text(OTHER_PACK, encoding="utf-8")
    (other / "__init__.py").touch()
    (other / "things.py").write_text(OTHER_NODES, encoding="utf-8")
    shutil.copytree(PACK, packs / "activation-steering", ignore=left_out)
    with serving(tmp_path) as (address, log):
        known = wait(lambda: ask(f"{address}/object_info"), 180, log)
        assert "OtherThing" in known
        assert "SteeringApply" in known
        assert "IMPORT FAILED): " + str(packs) not in log.read_text()
        ask(f"{address}/prompt", {"prompt": load("01_quickstart_pocket")})
        history = wait(lambda: next(iter(ask(f"{address}/history").values()), None), 180, log)
        assert history["status"]["status_str"] == "success"
        images = [image for part in history["outputs"].values() for image in part["images"]]
        assert len(images) == 8
        listed = ask(f"{address}/workflow_templates")
        assert len(listed["activation-steering"]) == 12
        page = urllib.request.urlopen(f"{address}/extensions/activation-steering/docs/SteeringApply.md")
        assert b"# Apply Steering" in page.read()


@contextmanager
def serving(folder):
    """A ComfyUI on its own with a base folder: its address, and the file of what it says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "main.py", "--cpu", "--base-directory", str(folder), "--port", str(port)]
    command += ["--disable-auto-launch", "--disable-api-nodes", "--database-url", "sqlite:///:memory:"]
    # Without this checkout on the path: the pack has to find its engine by itself.
    elsewhere = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one and Path(one) != PACK]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(elsewhere)}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=COMFYUI, stdout=log, stderr=log, env=environment)
    try:
        yield f"http://127.0.0.1:{port}", folder / "log"
    finally:
        server.terminate()
        server.wait(20)


def left_out(folder, names):
    """What is no part of the published pack: hidden files, and the folders of .comfyignore."""
    ignored = (PACK / ".comfyignore").read_text(encoding="utf-8").split()
    return {name for name in names if name[0] == "." or name == "__pycache__" or ignored_at(folder, name, ignored)}


def ignored_at(folder, name, ignored):
    return Path(folder) == PACK and (f"/{name}/" in ignored or name == "demo")


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def wait(attempt, seconds, log):
    """The first answer that is not nothing."""
    until = time.time() + seconds
    while time.time() < until:
        try:
            answer = attempt()
        except OSError:
            answer = None
        if answer:
            return answer
        time.sleep(1)
    pytest.fail(f"no answer after {seconds} s; the log ends with\n{Path(log).read_text()[-2000:]}")
