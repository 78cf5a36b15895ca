"""What nodes say of their run, below their widgets, in both renderers."""

import shutil

import pytest

from .conftest import PACK
from .test_workflows import ask, left_out, serving, wait

BUILD = """async (vue) => {
  await window.app.extensionManager.setting.set('Comfy.VueNodes.Enabled', vue);
  const graph = window.app.graph;
  graph.clear();
  const [load, save] = ["SteeringLoadVector", "SteeringSaveVector"].map((name, i) => {
    const node = LiteGraph.createNode(name);
    graph.add(node);
    node.pos = [20 + 440 * i, 120];
    return node;
  });
  load.widgets[0].value = "pocket_dog.safetensors";
  load.connect(0, save, 0);
  window.app.canvas.ds.scale = 1;
  window.app.canvas.ds.offset = [0, 0];
  window.app.canvas.draw(true, true);
  await window.app.queuePrompt(0, 1);
}"""
SAID = "() => document.querySelector('.steering-said')?.textContent"


@pytest.mark.slow
def test_a_saved_vector_says_where_it_is(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium on the PATH")
    shutil.copytree(PACK, tmp_path / "custom_nodes" / "activation-steering", ignore=left_out)
    with serving(tmp_path) as (address, log), playwright.sync_playwright() as started:
        wait(lambda: ask(f"{address}/object_info"), 180, log)
        page = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"]).new_page()
        page.goto(address)
        page.wait_for_function("() => !!window.LiteGraph?.registered_node_types?.SteeringSaveVector")
        page.wait_for_timeout(3000)
        page.keyboard.press("Escape")
        for vue in (False, True):  # the second time ComfyUI has the answer still
            page.evaluate(BUILD, vue)
            page.wait_for_function(f"() => ({SAID})() === 'saved as my_concept.safetensors'", timeout=60_000)
            assert page.locator(".steering-said").bounding_box()["height"] >= 15
        assert (tmp_path / "models" / "steering_vectors" / "my_concept.safetensors").is_file()
