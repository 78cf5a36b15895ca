# /// script
# requires-python = ">=3.10"
# dependencies = ["playwright>=1.45", "pillow>=10"]
# ///
"""Make the subgraph blueprints with the real frontend: ``uv run --script tools/subgraphs.py --comfyui URL``.

Needs what ``tools/workflows.py`` needs, of 0.4 or newer. Each graph below is built in the page with what lies outside
of it, made a subgraph of, and written to ``subgraphs/NAME.json``, which ComfyUI lists among its blueprints.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frontend import frontend, parser
from playwright.sync_api import Page

from workflows import Graph, Node, built, places, signed, version

FOLDER = Path(__file__).parent.parent / "subgraphs"


@dataclass
class Blueprint:
    """Nodes, of which some stay outside and are what the subgraph is wired to, and the widgets that show on it."""

    graph: Graph
    outside: tuple[str, ...]
    widgets: tuple[tuple[str, str], ...]
    description: str


def remove_a_concept() -> Blueprint:
    graph = {
        "outside": Node("SteeringLoadPocket", 0),
        "vector": Node("SteeringLoadVector", 1, (320, 98), "", {"vector_name": "pocket_dog.safetensors"}),
        "apply": Node(
            "SteeringApply", 2, (310, 260), "", {"preset": "recommended"},
            {"model": ("outside", 0), "vector": ("vector", 0)},
        ),
        "after": Node("KSampler", 3, None, "", {}, {"model": ("apply", 0)}),
    }  # fmt: skip
    shown = (("vector", "vector_name"), ("apply", "strength"))
    return Blueprint(graph, ("outside", "after"), shown, "Takes a vector's concept out of what a model draws.")


def build_a_vector() -> Blueprint:
    graph = {
        "outside": Node("SteeringLoadPocket", 0),
        "pairs": Node("SteeringLoadPairs", 1, (300, 98), "", {"concept": "pocket/dog"}),
        "capture": Node(
            "SteeringCapture", 2, (320, 380), "", {"sites": "text"},
            {"model": ("outside", 0), "clip": ("outside", 1), "pairs": ("pairs", 0)},
        ),
        "build": Node(
            "SteeringBuild", 3, (320, 240), "",
            {"top_k": 1, "select": "text", "direction": "kernel", "time": "constant"}, {"activations": ("capture", 0)},
        ),
        "save": Node(
            "SteeringSaveVector", 4, (320, 98), "", {"filename_prefix": "my_concept"}, {"vector": ("build", 0)}
        ),
        "after": Node("SteeringApply", 5, None, "", {}, {"vector": ("save", 0)}),
    }  # fmt: skip
    shown = (("pairs", "concept"), ("save", "filename_prefix"))
    text = "Learns the map that takes prompts with a concept to those without it, and saves it as a steering vector."
    return Blueprint(graph, ("outside", "after"), shown, text)


BLUEPRINTS = {"Remove a Concept": remove_a_concept, "Build a Steering Vector": build_a_vector}

CONVERT = """([name, description, outside, shown]) => {
  const graph = window.app.graph, stays = new Set(outside.map(String));
  const inside = graph._nodes.filter((node) => !stays.has(String(node.id)));
  const {subgraph, node} = graph.convertToSubgraph(new Set(inside));
  subgraph.name = name; subgraph.category = 'steering'; subgraph.description = description;
  node.title = name;
  node.properties.proxyWidgets = shown.map(([id, widget]) => [String(id), widget]);
  for (const other of graph._nodes.filter((one) => stays.has(String(one.id)))) graph.remove(other);
  node.pos = [0, 0];
  return JSON.stringify(graph.serialize());
}"""


def made(page: Page, name: str, blueprint: Blueprint, host: str) -> dict[str, Any]:
    """A blueprint as ComfyUI keeps it."""
    workflow = built(page, blueprint.graph, places(page, blueprint.graph))
    numbers = dict(zip(blueprint.graph, sorted(node["id"] for node in workflow["nodes"]), strict=True))
    outside = [numbers[key] for key in blueprint.outside]
    shown = [[numbers[key], widget] for key, widget in blueprint.widgets]
    whole = json.loads(page.evaluate(CONVERT, [name, blueprint.description, outside, shown]))
    for subgraph in whole["definitions"]["subgraphs"]:
        signed(subgraph, host)
    return whole


def main() -> None:
    options = parser(__doc__).parse_args()
    FOLDER.mkdir(exist_ok=True)
    with frontend(options, 1600, 1000) as page:
        for name, blueprint in BLUEPRINTS.items():
            whole = made(page, name, blueprint(), version(options.comfyui))
            (FOLDER / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
            print(name, len(whole["definitions"]["subgraphs"][0]["nodes"]), "nodes")


if __name__ == "__main__":
    main()
