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
