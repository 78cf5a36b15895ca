"""The workflows and help pages, checked without ComfyUI against a committed export of its schemas."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from steering.version import __version__

ROOT = Path(__file__).parent.parent
KNOWN = json.loads((ROOT / "tests" / "data" / "object_info.json").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
NOTES = {"MarkdownNote", "Note"}
MUTED = 2
ANYTHING = "*"
"""The socket of Preview Any, to which the frontend adds a widget of its own that shows the text."""
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
names = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def inputs_of(kind):
    """(name, type or list of values, options) of every input, in order."""
    for need in ("required", "optional"):
        for name, (values, *more) in KNOWN[kind]["input"].get(need, {}).items():
            yield name, values, more[0] if more else {}


def widgets_of(kind):
    """The inputs that have a widget, the seed's second one included, in the order of ``widgets_values``."""
    for name, values, options in inputs_of(kind):
        if (isinstance(values, list) or values in WIDGETS) and not options.get("forceInput"):
            yield name, values, options
            if options.get("control_after_generate"):
                yield "control_after_generate", ["fixed", "increment", "decrement", "randomize"], {}


def fits(value, values, options):
    if isinstance(values, list) or values == "COMBO":
        choices = values if isinstance(values, list) else options["options"]
        return value in choices or str(value).endswith((".safetensors", ".csv"))  # files of this or that machine
    if values == "BOOLEAN":
        return isinstance(value, bool)
    if values == "STRING":
        return isinstance(value, str)
    whole = values == "FLOAT" or float(value).is_integer()
    return whole and options.get("min", value) <= value <= options.get("max", value)


def test_there_are_the_twelve_workflows_and_all_nodes():
    assert [path.stem[:2] for path in WORKFLOWS] == [f"{number:02d}" for number in range(1, 13)]
    assert len([name for name in KNOWN if name.startswith("Steering")]) == 23


@names
def test_every_node_is_known_and_every_widget_value_fits(path):
    for node in read(path)["nodes"]:
        if node["type"] in NOTES:
            continue
        widgets = list(widgets_of(node["type"]))
        values = node.get("widgets_values") or []
        assert len(values) == len(widgets), f"{node['type']} has {len(values)} values for {len(widgets)} widgets"
        for value, (name, kind, options) in zip(values, widgets, strict=True):
            assert fits(value, kind, options), f"{node['type']}.{name} is {value!r}"
            if name == "control_after_generate":
                assert value == "fixed"  # a shared workflow repeats


@names
def test_every_link_joins_sockets_of_one_type(path):
    workflow = read(path)
    nodes = {node["id"]: node for node in workflow["nodes"]}
    for number, source, out, target, into, kind in workflow["links"]:
        sent, received = nodes[source]["outputs"][out], nodes[target]["inputs"][into]
        assert number in sent["links"]
        assert received["link"] == number
        accepted = {name: values for name, values, _ in inputs_of(nodes[target]["type"])}
        assert KNOWN[nodes[source]["type"]]["output"][out] == sent["type"]
        assert accepted[received["name"]] in (kind, ANYTHING)
        assert kind in (sent["type"], ANYTHING)


@names
def test_everything_that_must_be_connected_is(path):
    for node in read(path)["nodes"]:
        linked = {entry["name"] for entry in node.get("inputs", []) if entry.get("link") is not None}
        for name, (values, *_more) in KNOWN.get(node["type"], {"input": {}})["input"].get("required", {}).items():
            assert isinstance(values, list) or values in WIDGETS or name in linked, f"{node['type']}.{name}"


@names
def test_the_api_form_says_the_same(path):
    workflow, api = read(path), read(path.parent / "api" / path.name)
    runs = [node for node in workflow["nodes"] if node["type"] not in NOTES and node["mode"] != MUTED]
    nodes = {str(node["id"]): node for node in runs}
    assert {key: value["class_type"] for key, value in api.items()} == {k: n["type"] for k, n in nodes.items()}
    links = {number: [str(source), out] for number, source, out, *_ in workflow["links"]}
    for key, node in nodes.items():
        linked = {e["name"]: links[e["link"]] for e in node.get("inputs", []) if e.get("link") is not None}
        values = zip(widgets_of(node["type"]), node.get("widgets_values") or [], strict=True)
        expected = {name: value for (name, *_), value in values if name != "control_after_generate"} | linked
        shown = {"preview"} if node["type"] == "PreviewAny" else set()
        assert {name: value for name, value in api[key]["inputs"].items() if name not in shown} == expected


@names
def test_a_newcomer_is_told_what_to_press_and_which_pack_is_missing(path):
    workflow = read(path)
    assert any(node["type"] in NOTES for node in workflow["nodes"])
    for node in workflow["nodes"]:
        if node["type"].startswith("Steering"):
            assert node["properties"]["cnr_id"] == "activation-steering"
            assert node["properties"]["ver"] == __version__
        elif node["type"] not in NOTES:
            assert node["properties"]["cnr_id"] == "comfy-core"
            assert node["properties"]["ver"]
        if node["type"] == "CheckpointLoaderSimple":
            (model,) = node["properties"]["models"]
            assert model["name"] == node["widgets_values"][0]
            assert model["url"].endswith(model["name"])
    with Image.open(path.with_suffix(".jpg")) as picture:
        assert max(picture.size) <= 800


@names
def test_notes_call_nodes_by_the_names_that_the_menu_shows(path):
    shown = {node["display_name"] for node in KNOWN.values()}
    verbs = {name.split()[0] for name in shown}
    notes = [text for node in read(path)["nodes"] if node["type"] in NOTES for text in node["widgets_values"]]
    called = re.findall(r"\*([A-Z][\w ()]*)\*", "\n".join(notes))
    assert {name for name in called if name.split()[0] in verbs} <= shown


@pytest.mark.parametrize("name", [name for name in KNOWN if name.startswith("Steering")])
def test_every_node_has_a_help_page_with_every_input_and_a_picture(name):
    page = (ROOT / "web" / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for entry, _, options in inputs_of(name):
        assert f"- **{entry}**" in page
        assert options["tooltip"] in page, f"{name}.{entry}: the page is older than the node; run tools/help_pages.py"
    assert "Usual mistake" in page
    assert (ROOT / "web" / "docs" / "images" / f"{name}.png").is_file()


@pytest.mark.parametrize("path", sorted((ROOT / "subgraphs").glob("*.json")), ids=lambda path: path.stem)
def test_a_blueprint_is_one_node_of_known_ones_with_the_widgets_that_it_shows(path):
    whole = read(path)
    (outer,), (subgraph,) = whole["nodes"], whole["definitions"]["subgraphs"]
    assert (outer["type"], subgraph["name"]) == (subgraph["id"], path.stem)
    assert subgraph["description"]
    inner = {str(node["id"]): node for node in subgraph["nodes"]}
    for node in inner.values():
        widgets = list(widgets_of(node["type"]))
        for value, (name, kind, options) in zip(node["widgets_values"], widgets, strict=True):
            assert fits(value, kind, options), f"{node['type']}.{name} is {value!r}"
        assert node["properties"]["cnr_id"] == "activation-steering"
    for number, widget in outer["properties"]["proxyWidgets"]:
        assert widget in {name for name, *_ in widgets_of(inner[number]["type"])}
    sockets = {kind for node in inner.values() for kind in KNOWN[node["type"]]["output"]} | {"MODEL", "CLIP"}
    for entry in (*subgraph["inputs"], *subgraph["outputs"]):
        assert entry["type"] in sockets
        assert entry["linkIds"], f"{entry['name']} leads nowhere"
