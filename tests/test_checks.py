import pytest
import torch

from steering.checks import MOST, check_finite, check_levels, check_mapping, check_numbers
from steering.errors import SteeringError


@pytest.mark.parametrize(
    "values",
    [[torch.nan], [torch.inf], [-torch.inf], [1.0, 2 * MOST], [-2 * MOST]],
)
def test_numbers_that_are_none_or_absurd_are_refused(values):
    with pytest.raises(SteeringError, match="mean holds a number that is not finite or beyond 1e"):
        check_numbers(torch.tensor(values), "mean")


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.bfloat16, torch.complex64])
def test_other_types_are_refused(dtype):
    with pytest.raises(SteeringError, match=r"mean is of type torch\."):
        check_numbers(torch.ones(2).to(dtype), "mean")


def test_numbers_are_taken():
    for dtype in (torch.float16, torch.float32, torch.float64):
        check_numbers(torch.tensor([-65504.0, 0.0, 65504.0], dtype=dtype), "mean")
    check_numbers(torch.tensor([MOST, -MOST]), "mean")
    check_numbers(torch.empty(0), "mean")


@pytest.mark.parametrize("levels", [[], [1.0, 2.0], [2.0, 2.0], [1.0, 0.0], [2.0, -1.0], [[2.0, 1.0]]])
def test_levels_that_do_not_fall_or_are_no_levels_are_refused(levels):
    with pytest.raises(SteeringError, match="sigmas must be noise levels above 0 that fall"):
        check_levels(torch.tensor(levels), "sigmas")


def test_falling_levels_are_taken():
    check_levels(torch.tensor([14.6, 1.0, 0.03]), "sigmas")
    check_levels(torch.tensor([5.0]), "sigmas")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "x", None, True, [1], 1e9, -1e9])
def test_a_number_is_finite_and_within_reason(value):
    with pytest.raises(SteeringError, match=r"strength .* must be a finite number from -100 to 100"):
        check_finite(value, "strength", 100)
    assert check_finite(-100, "strength", 100) == -100.0


@pytest.mark.parametrize("value", [[], "x" * 10_000, {1: 2}, None])
def test_objects_have_names_for_keys_and_messages_stay_short(value):
    with pytest.raises(SteeringError, match="must be an object") as found:
        check_mapping(value, "metadata")
    assert len(str(found.value)) < 200
    assert check_mapping({"a": 1}, "metadata") == {"a": 1}
