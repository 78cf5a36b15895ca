from steering.errors import SteeringError


def test_what_a_user_did_wrong_is_a_value_error_that_can_be_told_apart():
    assert issubclass(SteeringError, ValueError)
    assert not isinstance(ValueError("a bug"), SteeringError)
