from steering.evaluate.judge_answers import parsed


def test_the_last_legal_object_counts():
    assert parsed('{"score": 1} then {"score": 2}')["score"] == 2
    assert parsed('{"score": 1} then {"score": -2}')["score"] == 1
    assert parsed("{" * 2000) is None
