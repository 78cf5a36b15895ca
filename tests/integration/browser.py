"""ComfyUI's page in Chromium, with this pack as it is installed."""

import shutil
from contextlib import contextmanager

import pytest

from .conftest import PACK
from .test_workflows import ask, left_out, serving, wait

RENDERER = "(vue) => window.app.extensionManager.setting.set('Comfy.VueNodes.Enabled', vue)"
CHAIN = """async ([names, file, links]) => {
  const graph = window.app.graph;
  graph.clear();
  const made = names.map((name, i) => {
    const node = LiteGraph.createNode(name);
    graph.add(node);
    node.pos = [20 + 440 * i, 120];
    return node;
  });
  made[0].widgets[0].value = file;
  links.forEach((slot, i) => made[i].connect(slot, made[i + 1], 0));
  window.app.canvas.ds.scale = 1;
  window.app.canvas.ds.offset = [0, 0];
  window.app.canvas.draw(true, true);
  await window.app.queuePrompt(0, 1);
}"""
"""Nodes in a row, the first of which loads a file, each connected from an output to the next one's first input; run."""


@contextmanager
def page_of(folder, node, **options):
    """The page of a ComfyUI whose files lie in a folder, once it knows a node; skips where there is no Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium on the PATH")
    shutil.copytree(PACK, folder / "custom_nodes" / "activation-steering", ignore=left_out)
    with serving(folder) as (address, log), playwright.sync_playwright() as started:
        wait(lambda: ask(f"{address}/object_info"), 180, log)
        page = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"]).new_page(**options)
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(address)
        page.wait_for_function(f"() => !!window.LiteGraph?.registered_node_types?.{node}")
        page.wait_for_timeout(3000)
        page.keyboard.press("Escape")
        yield page
