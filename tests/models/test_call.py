import pytest
import torch

from steering.models.call import Call, running_call
from steering.sites import Site


def test_rows_of_the_prompt_or_of_both_halves_act_at_their_own_noise_level():
    call = Call((1.0, 2.0, 1.0, 2.0), (True, True, False, False))
    assert call.acting(1.0, "cond") == [0]
    assert call.acting(1.0, "both") == [0, 2]
    assert call.acting(3.0, "both") == []


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 sigmas do not match 1"):
        Call((1.0, 2.0), (True,))
    call = Call((1.0,), (True,))
    call.check_rows(Site.parse("in1.attn1"), torch.zeros(1, 4, 3))
    with pytest.raises(RuntimeError, match=r"1 rows, in1\.attn1 computed 4"):
        call.check_rows(Site.parse("in1.attn1"), torch.zeros(4, 1, 3))


def test_outside_of_sampling_there_is_no_call(toy_model):
    with pytest.raises(RuntimeError, match=r"use model\.generate"):
        running_call(toy_model)
