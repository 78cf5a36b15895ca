import dataclasses
import json

import numpy as np
import pytest

from steering.study.figures import arm_figures

from .test_figures import arm, made


def test_figures_are_frozen_and_their_presence_is_the_removal_s():
    figures = arm_figures(arm(), {"original": made(np.full(8, 90.0)), "study_k1": made(np.arange(8.0))})
    assert figures.presence is figures.removal.presence
    with pytest.raises(dataclasses.FrozenInstanceError):
        figures.drop_p = 0.0
    flat = json.loads(json.dumps(dataclasses.asdict(figures)))
    assert flat["removal"]["presence"]["mean"] == figures.presence.mean
