from types import SimpleNamespace

import numpy as np
import pytest

from steering.evaluate.judge_answers import parsed, understood


def completion(text):
    message = SimpleNamespace(content=text, refusal=None)
    return SimpleNamespace(choices=[SimpleNamespace(message=message, finish_reason="stop")], model="m")


def test_the_last_legal_object_counts():
    assert parsed('{"score": 1} then {"score": 2}')["score"] == 2
    assert parsed('{"score": 1} then {"score": -2}')["score"] == 1
    assert parsed("{" * 2000) is None


@pytest.mark.parametrize(
    "remains", ["", ', "remains": "12"', ', "remains": 101', ', "remains": true', ', "remains": null']
)
def test_what_remains_is_unknown_where_a_model_does_not_say_it_as_asked(remains):
    answer = understood(completion('{"score": 5' + remains + "}"))
    assert (answer.status, answer.score) == ("ok", 5)
    assert np.isnan(answer.remains)
    assert understood(completion('{"score": 5, "remains": 7}')).remains == 7
