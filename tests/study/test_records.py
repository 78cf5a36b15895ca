from dataclasses import replace

import numpy as np
import pytest

from steering.evaluate.statistics import Estimate
from steering.study.figures import arm_figures
from steering.study.records import Loss

from .test_figures import arm, made


def test_a_gain_counts_as_no_loss_and_presence_is_the_removal_s():
    figures = arm_figures(arm(), {"original": made(np.full(8, 90.0)), "study_k1": made(np.arange(8.0))})
    assert figures.presence is figures.removal.presence
    assert figures.lost == 0

    def loss(points):
        return Loss(90.0, Estimate(points, 0, 0, 4), 9.0, False, Estimate(0, 0, 0, 4))

    assert replace(figures, losses={"sibling": loss(-7.0), "unrelated": loss(3.0)}).lost == pytest.approx(3)
