from dataclasses import replace

import numpy as np
import pytest

from steering.study.outcome import outcome_of
from steering.study.setting import Recipe, Setting

from .test_measurements import measurements

NAMES = [f"p{i}" for i in range(4)]


def arm(presence, kept, debris):
    """Four target prompts and as many of siblings; there are no unrelated ones."""
    plain = {"change_rms": np.arange(8.0), "identical": np.zeros(8), "rest": np.full(8, 90.0)}
    columns = {"presence": np.r_[presence, np.zeros(4)], "kept": np.r_[np.zeros(4), kept], "debris": np.full(8, debris)}
    made = measurements(NAMES + [f"s{name}" for name in NAMES], **columns, **plain)
    roles = ["target"] * 4 + ["sibling"] * 4
    items = (replace(i, prompt=replace(i.prompt, role=role)) for i, role in zip(made.items, roles, strict=True))
    return replace(made, items=tuple(items))


def test_an_outcome_is_the_means_of_its_prompts():
    original = arm(np.full(4, 95.0), np.full(4, 90.0), 0.0)
    steered = arm(np.array([2.0, 4.0, 6.0, 80.0]), np.full(4, 88.0), 5.0)
    found = outcome_of(Setting(Recipe(3), "precise", 1.0), steered, original)
    assert (found.presence, found.debris, found.kept, found.clean) == (23, 5, 90, 75)
    assert (found.sibling, found.unrelated) == (pytest.approx(2), 0)  # who has none loses none
    assert found.change == pytest.approx(5.5)  # of what should have stayed: rows 4 to 7
    assert found.counterfactual is None


def test_the_worst_third_is_as_bad_as_the_worst_of_its_parts():
    """At least one picture, and of it whatever is worst: the concept, debris, or the rest that went."""
    original = arm(np.full(4, 95.0), np.full(4, 90.0), 0.0)
    setting = Setting(Recipe(3), "precise", 1.0)

    def worst(presence, debris, rest):
        made = arm(np.array(presence, float), np.full(4, 88.0), debris)
        return outcome_of(setting, replace(made, columns={**made.columns, "rest": np.full(8, rest)}), original).worst

    assert worst([2, 4, 6, 80], 5.0, 90.0) == 80
    assert worst([2, 4, 6, 8], 30.0, 90.0) == 30
    assert worst([2, 4, 6, 8], 5.0, 40.0) == 60
    assert worst([2, 4, 6, 8], 5.0, np.nan) == 8  # nothing else is asked for
