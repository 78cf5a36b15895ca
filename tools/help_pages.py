# /// script
# requires-python = ">=3.10"
# dependencies = ["playwright>=1.45"]
# ///
"""Fill in the nodes' help pages: ``uv run --script tools/help_pages.py --comfyui URL``.

Needs what ``tools/workflows.py`` needs. In every ``web/docs/NODE.md`` the part between the two
``inputs`` marks becomes a table of the node's inputs and outputs as ComfyUI knows them, and
``web/docs/images/NODE.png`` a picture of the node.
"""

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

from frontend import frontend, parser, renew
from playwright.sync_api import Page

PAGES = Path(__file__).parent.parent / "web" / "docs"
MARK = "<!-- inputs -->"

PLACE = """(name) => {
  const graph = window.app.graph, canvas = window.app.canvas;
  graph.clear();
  const node = LiteGraph.createNode(name);
  graph.add(node);
  node.setSize([Math.max(node.size[0], 230), node.size[1]]); // its title whole
  node.pos = [40, 160]; // below the bar of tabs
  canvas.ds.scale = 1; canvas.ds.offset = [0, 0];
  canvas.draw(true, true);
}"""
DRAWN = """() => {
  const [node] = window.app.graph._nodes;
  window.app.canvas.draw(true, true); // again: a field of text takes its place only now
  return [node.size[0], node.size[1]];
}"""


def table(node: dict[str, Any]) -> str:
    """Inputs and outputs of a node in Markdown."""
    lines = []
    for need in ("required", "optional"):
        for name, (kind, *more) in node["input"].get(need, {}).items():
            about = more[0] if more else {}
            default = about.get("default")
            shown = "" if default in (None, "") or "\n" in str(default) else f" Default {default}."
            socket = kind if isinstance(kind, str) and kind.isupper() and "default" not in about else ""
            extra = ", ".join(part for part in (socket, "optional" if need == "optional" else "") if part)
            lines.append(f"- **{name}**{f' ({extra})' if extra else ''}: {about.get('tooltip', '')}{shown}")
    text = "**Inputs**\n\n" + "\n".join(lines) if lines else ""
    outputs = zip(node["output_name"], node["output_tooltips"], strict=True)
    return f"{text}\n\n**Outputs**\n\n" + "\n".join(f"- **{name}**: {tip}" for name, tip in outputs)


def fill(page: Path, node: dict[str, Any]) -> None:
    """Replace what stands between the marks, or the single mark of a new page."""
    text = page.read_text(encoding="utf-8")
    pattern = f"{re.escape(MARK)}(.*{re.escape(MARK)})?"
    block = f"{MARK}\n\n{table(node).strip()}\n\n{MARK}"
    page.write_text(re.sub(pattern, lambda _: block, text, flags=re.S), encoding="utf-8")


def photograph(page: Page, name: str) -> None:
    """A picture of one node alone on the canvas."""
    renew(page)
    page.evaluate(PLACE, name)
    page.wait_for_timeout(400)
    width, height = page.evaluate(DRAWN)
    page.wait_for_timeout(400)
    canvas = page.locator("#graph-canvas").bounding_box()
    assert canvas is not None
    clip = {"x": canvas["x"] + 20, "y": canvas["y"] + 100, "width": width + 40, "height": height + 75}
    page.screenshot(path=PAGES / "images" / f"{name}.png", clip=clip)  # type: ignore[arg-type]


def main() -> None:
    """Fill in every page."""
    options = parser(__doc__).parse_args()
    with urllib.request.urlopen(f"{options.comfyui}/object_info") as answer:
        known = json.load(answer)
    with frontend(options, 900, 900) as page:
        page.wait_for_timeout(2000)
        for name in sorted(name for name in known if name.startswith("Steering")):
            fill(PAGES / f"{name}.md", known[name])
            photograph(page, name)


if __name__ == "__main__":
    main()
