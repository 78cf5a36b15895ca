import pytest

from steering.interventions.presets import PRESETS, Settings, get_preset


def test_presets_are_what_the_papers_and_the_documentation_say():
    assert {name: (preset.settings, preset.default_strength) for name, preset in PRESETS.items()} == {
        "projection": (Settings("zero", "all", False, "cond"), 2.5),
        "casteer": (Settings("zero", "positive", False, "cond"), 2.0),
        "precise": (Settings("negative", "positive", False, "cond"), 1.0),
        "selective": (Settings("negative", "threshold", False, "cond"), 3.0),
        "lora": (Settings("negative", "all", False, "both"), 1.0),
        "affine": (Settings("negative", "all", False, "cond"), 1.0),
        "conditional": (Settings("negative", "prompt", False, "cond"), 1.0),
    }
    assert get_preset("precise") is PRESETS["precise"]
    assert Settings() == PRESETS["precise"].settings  # what is meant where nobody says


@pytest.mark.parametrize("bad", [{"reference": "x"}, {"gate": "x"}, {"half": "x"}])
def test_unknown_settings_are_refused_where_they_are_made(bad):
    with pytest.raises(ValueError, match="is not one of"):
        Settings(**bad)
    with pytest.raises(ValueError, match="projection, casteer, precise, selective"):
        get_preset("x")
