import pytest
import torch

from steering.errors import SteeringError
from steering.models.sampling import CaptureSettings, check_sampling, draw_noise, weights_digest


def test_blanks_are_filled_from_the_model(toy_model):
    sampling = CaptureSettings().on(toy_model)
    assert (sampling.guidance, sampling.size, sampling.batch) == (3.0, 64, 8)
    given = CaptureSettings(4, 1.0, 7, (64, 32), 3)
    assert given.on(toy_model) == type(sampling)(4, 1.0, 7, (64, 32), 3)


@pytest.mark.parametrize("bad", [{"steps": 0}, {"batch": 0}])
def test_nothing_is_sampled_in_no_steps(bad):
    with pytest.raises(SteeringError, match=r"at least 1|between 1 and"):
        CaptureSettings(**bad)


def test_noise_is_a_seeds_own_whatever_the_batch():
    together = draw_noise([3, 4], 4, (16, 24))
    assert together.shape == (2, 4, 3, 2)
    assert torch.equal(together[1:], draw_noise([4], 4, (16, 24)))
    assert not torch.equal(together[0], together[1])
    for size in (12, 0, (16, 7)):
        with pytest.raises(SteeringError, match="multiples of 8"):
            check_sampling(1, None, size)


def test_weights_are_known_by_names_shapes_and_values_and_not_by_precision():
    state = {"a.weight": torch.randn(3, 4).half().float(), "b": torch.randn(5).half().float()}
    mark = weights_digest(state)
    assert mark == weights_digest({name: value.half() for name, value in reversed(state.items())})
    changed = {**state, "b": state["b"] + 1}
    renamed = {("c" if name == "b" else name): value for name, value in state.items()}
    reshaped = {**state, "a.weight": state["a.weight"].reshape(4, 3)}
    assert len({mark, *map(weights_digest, (changed, renamed, reshaped))}) == 4
