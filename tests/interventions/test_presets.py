from pathlib import Path

import pytest

from steering.interventions.presets import PRESETS, EditSettings, get_preset


def test_the_readme_says_the_usual_strengths():
    text = " ".join((Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split())
    said = text[text.index("4. **Steer.**") : text.index("## Results")]
    strengths = {name: said.index(f"`{name}`") for name in PRESETS}
    for name in ("projection", "casteer", "precise", "lora"):
        following = min(place for place in [*strengths.values(), len(said)] if place > strengths[name])
        assert f"λ = {PRESETS[name].default_strength:g}" in said[strengths[name] : following], name


def test_what_each_preset_means_changes_with_a_reason_only():
    assert {name: (preset.settings, preset.default_strength) for name, preset in PRESETS.items()} == {
        "projection": (EditSettings("zero", "all", False, "cond"), 2.5),
        "casteer": (EditSettings("zero", "positive", False, "cond"), 2.0),
        "precise": (EditSettings("negative", "positive", False, "cond"), 1.0),
        "selective": (EditSettings("negative", "threshold", False, "cond"), 3.0),
        "lora": (EditSettings("negative", "all", False, "both"), 1.0),
        "affine": (EditSettings("negative", "all", False, "cond"), 1.0),
        "conditional": (EditSettings("negative", "prompt", False, "cond"), 1.0),
    }
    assert get_preset("precise") is PRESETS["precise"]
    assert EditSettings() == PRESETS["precise"].settings  # what is meant where nobody says


@pytest.mark.parametrize("bad", [{"reference": "x"}, {"gate": "x"}, {"half": "x"}])
def test_unknown_settings_are_refused_where_they_are_made(bad):
    with pytest.raises(ValueError, match="is not one of"):
        EditSettings(**bad)
    with pytest.raises(ValueError, match="projection, casteer, precise, selective"):
        get_preset("x")
