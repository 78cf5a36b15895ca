"""What other languages say of the nodes, checked without ComfyUI against a committed export of the schemas."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KNOWN = json.loads((ROOT / "tests" / "data" / "object_info.json").read_text(encoding="utf-8"))
NODES = {name: node for name, node in KNOWN.items() if name.startswith("Steering")}
LANGUAGES = {"en": r"[a-z]", "zh": r"[\u4e00-\u9fff]", "ja": r"[\u3041-\u30ff]"}
"""Languages, and letters that only they are written in."""


def read(language):
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def inputs_of(node):
    parts = [node["input"].get(need, {}) for need in ("required", "optional")]
    return {name: more[0] if more else {} for part in parts for name, (_, *more) in part.items()}


def texts(value):
    if isinstance(value, str):
        yield value
    else:
        for part in value.values():
            yield from texts(part)


def test_every_language_is_there_and_no_other():
    assert {path.name for path in (ROOT / "locales").iterdir()} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_node_input_and_output_is_named_and_no_other(language):
    said = read(language)
    assert list(said) == sorted(NODES)
    for name, node in NODES.items():
        assert list(said[name].get("inputs", {})) == list(inputs_of(node)), name
        assert list(said[name]["outputs"]) == [str(n) for n in range(len(node["output"]))], name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_in_its_language_and_safe(language):
    for text in texts(read(language)):
        assert re.search(LANGUAGES[language], text) or not text, text
        # The frontend's translation reads these as plural forms, links and places to fill in.
        assert not set(text) & set("|@{}"), text


@pytest.mark.parametrize("language", ["zh", "ja"])
def test_values_that_a_user_has_to_choose_are_named_as_they_are(language):
    """A choice has one name in all languages, so a tooltip that explains choices explains all of them."""
    said = read(language)
    for name, node in NODES.items():
        for entry, options in inputs_of(node).items():
            tooltip, translated = options.get("tooltip", ""), said[name]["inputs"][entry]["tooltip"]
            for choice in options.get("options", []):
                if f"{choice}:" in tooltip or f"{choice}," in tooltip:
                    assert choice in translated, f"{name}.{entry} says nothing of {choice}"


def test_english_is_what_the_nodes_say():
    for name, said in read("en").items():
        node = NODES[name]
        assert (said["display_name"], said["description"]) == (node["display_name"], node["description"])
        for entry, options in inputs_of(node).items():
            assert said["inputs"][entry]["tooltip"] == options.get("tooltip", ""), f"{name}.{entry}"
        assert [part["tooltip"] for part in said["outputs"].values()] == node["output_tooltips"], name


def prose(page):
    """A help page without the table of inputs and outputs, and without its picture."""
    before, _, after = re.split("<!-- inputs -->", page)
    return re.sub(r"!\[.*?\]\(.*?\)", "", before + after)


@pytest.mark.parametrize("language", ["zh", "ja"])
@pytest.mark.parametrize("name", NODES)
def test_a_translated_help_page_says_what_the_tooltips_say_and_no_other_number(name, language):
    said, docs = read(language)[name], ROOT / "web" / "docs"
    page = (docs / name / f"{language}.md").read_text(encoding="utf-8")
    english = (docs / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {said['display_name']}\n")
    for entry in said.get("inputs", {}).values():
        assert entry["tooltip"] in page, "the page is older than the tooltips; run tools/help_pages.py"
    for part in said["outputs"].values():
        assert part["tooltip"] in page, "the page is older than the tooltips; run tools/help_pages.py"
    assert f"images/{name}.png" in page
    assert sorted(re.findall(r"\d+(?:\.\d+)?", prose(page))) == sorted(re.findall(r"\d+(?:\.\d+)?", prose(english)))
    assert re.findall(r"`([^`]+)`", prose(page)) == re.findall(r"`([^`]+)`", prose(english))
