"""A recommendation is the same after its file; what it leaves open is not written."""

import json
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.errors import SteeringError
from steering.vectors.recommendation import MOST_STRENGTH, Recommendation

levels = st.floats(0.0, 1000.0)
strengths = st.floats(-MOST_STRENGTH, MOST_STRENGTH)


@given(
    st.builds(
        Recommendation,
        st.none() | st.text(),
        st.none() | strengths,
        st.none() | st.tuples(levels | st.just(inf), levels),
    )
)
def test_what_is_written_is_read(advice):
    written = json.dumps(advice.to_json(), allow_nan=False)  # infinity is no JSON
    assert Recommendation.from_json(json.loads(written)) == advice
    told = [value for value in (advice.preset, advice.strength, advice.window) if value is not None]
    assert len(json.loads(written)) == len(told)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["precise"], "must be an object"),
        ({"preset": 7}, "must be a name"),
        ({"preset": None}, "must be a name"),
        ({"strength": None}, "must be a finite number"),
        ({"strength": 1e9}, "from -100 to 100"),
        ({"window": 3}, "a first and a last noise level"),
        ({"window": [1.0, None]}, "last noise level None must be a finite number"),
    ],
)
def test_whatever_is_no_recommendation_is_refused(value, words):
    with pytest.raises(SteeringError, match=words):
        Recommendation.from_json(value)


def test_other_keys_are_left_alone():
    assert Recommendation.from_json({"tuned": {"dev": [3]}, "preset": "lora"}) == Recommendation("lora")
