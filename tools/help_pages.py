# /// script
# requires-python = ">=3.10"
# dependencies = ["playwright>=1.45"]
# ///
"""Fill in the nodes' help pages: ``uv run --script tools/help_pages.py --comfyui URL``.

Needs what ``tools/workflows.py`` needs. In every ``web/docs/NODE.md`` the part between the two
``inputs`` marks becomes a table of the node's inputs and outputs as ComfyUI knows them, in
``web/docs/NODE/LANGUAGE.md`` as ``locales/LANGUAGE`` words them, and ``web/docs/images/NODE.png`` a picture of
the node.
"""

import json
import re
import urllib.request
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from frontend import frontend, parser, renew
from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "web" / "docs"
MARK = "<!-- inputs -->"


@dataclass(frozen=True)
class Words:
    """A table's own words in one language, the last two with what goes before or around them."""

    inputs: str
    outputs: str
    optional: str
    colon: str
    default: str
    brackets: str
    between: str


ENGLISH = Words("Inputs", "Outputs", "optional", ": ", " Default {}.", " ({})", ", ")
OTHERS = {
    "zh": Words("输入", "输出", "可选", "：", "默认 {}。", "（{}）", "，"),
    "ja": Words("入力", "出力", "省略可", "：", "既定値は {}。", "（{}）", "、"),
}

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


def table(node: dict[str, Any], words: Words, said: dict[str, Any]) -> str:
    """Inputs and outputs of a node in Markdown, with the tooltips that a language's ``said`` has for it."""
    lines = []
    for need in ("required", "optional"):
        for name, (kind, *more) in node["input"].get(need, {}).items():
            about = more[0] if more else {}
            default = about.get("default")
            shown = "" if default in (None, "") or "\n" in str(default) else words.default.format(default)
            socket = kind if isinstance(kind, str) and kind.isupper() and "default" not in about else ""
            extra = [part for part in (socket, words.optional if need == "optional" else "") if part]
            bracketed = words.brackets.format(words.between.join(extra)) if extra else ""
            lines.append(f"- **{name}**{bracketed}{words.colon}{said['inputs'][name]['tooltip']}{shown}")
    outputs = zip(node["output_name"], said["outputs"].values(), strict=True)
    parts = {
        words.inputs: lines,
        words.outputs: [f"- **{name}**{words.colon}{tip['tooltip']}" for name, tip in outputs],
    }
    return "\n\n".join(f"**{title}**\n\n" + "\n".join(rows) for title, rows in parts.items() if rows)


def fill(page: Path, block: str) -> None:
    """Replace what stands between the marks, or the single mark of a new page."""
    text = page.read_text(encoding="utf-8")
    pattern = f"{re.escape(MARK)}(.*{re.escape(MARK)})?"
    page.write_text(re.sub(pattern, lambda _: f"{MARK}\n\n{block}\n\n{MARK}", text, flags=re.S), encoding="utf-8")


def fill_all(known: dict[str, Any]) -> None:
    """The tables of every page in every language, from ComfyUI's schemas."""
    pages = {"en": (ENGLISH, lambda name: PAGES / f"{name}.md")}
    pages |= {language: (words, partial(_translated, language)) for language, words in OTHERS.items()}
    for language, (words, page_of) in pages.items():
        said = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
        for name in said:
            fill(page_of(name), table(known[name], words, {"inputs": {}, **said[name]}))


def _translated(language: str, name: str) -> Path:
    return PAGES / name / f"{language}.md"


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
    fill_all(known)
    with frontend(options, 900, 900) as page:
        page.wait_for_timeout(2000)
        for name in sorted(name for name in known if name.startswith("Steering")):
            photograph(page, name)


if __name__ == "__main__":
    main()
