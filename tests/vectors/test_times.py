import pytest

from steering.vectors.build import build
from steering.vectors.times import TIMES

from .test_build import planted


def test_each_has_its_number_of_directions_and_nothing_else_is_taken():
    activations = planted([5, 5], steps=4)
    knots = {time: len(build(activations, top_k=2, time=time).sigmas) for time in TIMES}
    assert knots == {"per-step": 4, "constant": 1}
    with pytest.raises(ValueError, match="per-step, constant"):
        build(activations, top_k=2, time="per step")
