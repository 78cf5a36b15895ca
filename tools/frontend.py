"""The page of a running ComfyUI in Chromium, for the tools beside this file."""

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

READY = "() => !!(window.app && window.app.graph && window.LiteGraph.registered_node_types.KSampler)"


def parser(doc: str) -> argparse.ArgumentParser:
    """The options that every tool has: where ComfyUI answers, and where Chromium is."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--comfyui", default="http://127.0.0.1:8188")
    made.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    return made


@contextmanager
def frontend(options: argparse.Namespace, width: int, height: int) -> Iterator[Page]:
    """The page, when it knows the nodes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(options.comfyui)
        _settle(page)
        try:
            yield page
        finally:
            browser.close()


def renew(page: Page) -> None:
    """Load the page again: it remembers what widgets of a node's number said in the graph before."""
    page.reload()
    _settle(page)


def _settle(page: Page) -> None:
    page.wait_for_function(READY)
    page.wait_for_timeout(3000)
    page.keyboard.press("Escape")  # the templates that greet a newcomer
    page.evaluate("() => { window.app.extensionManager.focusMode = true }")  # nothing over the graph
