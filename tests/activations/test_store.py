import pytest
import torch

from steering.activations.store import Activations
from steering.errors import SteeringError
from steering.sites import SD15_SITES, Site

SIGMAS = torch.tensor([10.0, 1.0, 0.1])


def some():
    return Activations(
        {SD15_SITES[3]: torch.randn(2, 4, 3, 8), SD15_SITES[0]: torch.randn(2, 4, 3, 16)}, SIGMAS, {"a": 1}
    )


def test_files_round_trip_exactly_and_in_order(tmp_path):
    made = some()
    made.save(tmp_path / "a.safetensors")
    loaded = Activations.load(tmp_path / "a.safetensors")
    assert list(loaded.tensors) == [SD15_SITES[0], SD15_SITES[3]]
    assert all(torch.equal(loaded.tensors[s], made.tensors[s]) for s in made.tensors)
    assert (dict(loaded.metadata), loaded.pairs) == ({"a": 1}, 4)


def test_a_step_without_difference_is_inactive():
    tensor = torch.randn(2, 4, 3, 8)
    tensor[1, :, 0] = tensor[0, :, 0]
    tensor[1, :, 1] = tensor[0, :, 1] * (1 + 1e-6)  # below 1e-5 of the norm
    made = Activations({SD15_SITES[0]: tensor}, SIGMAS)
    assert made.active(SD15_SITES[0]).tolist() == [False, False, True]


def test_nothing_can_be_changed_afterwards():
    with pytest.raises(TypeError):
        some().tensors[Site.parse("in1.ff")] = torch.zeros(1)


@pytest.mark.parametrize(
    ("tensors", "sigmas", "message"),
    [
        ({}, SIGMAS, "at least one site"),
        ({SD15_SITES[0]: torch.zeros(2, 4, 8)}, SIGMAS, r"\[2, N, S, C\]"),
        ({SD15_SITES[0]: torch.zeros(2, 4, 3, 8), SD15_SITES[1]: torch.zeros(2, 5, 3, 8)}, SIGMAS, "shape"),
        ({SD15_SITES[0]: torch.zeros(2, 4, 2, 8)}, SIGMAS, "3 sigmas do not match 2"),
    ],
)
def test_bad_shapes_are_refused(tensors, sigmas, message):
    with pytest.raises(ValueError, match=message):
        Activations(tensors, sigmas)


@pytest.mark.parametrize("tokens", [0, -1, 3, 2.0, "4", None])
def test_a_number_of_tokens_that_rows_do_not_have_is_refused(tokens):
    made = Activations({SD15_SITES[0]: torch.randn(2, 4, 3, 8)}, SIGMAS, {"tokens": tokens})
    with pytest.raises(SteeringError, match="4 rows are no whole number of prompts"):
        made.folds  # noqa: B018


def test_rows_without_tokens_are_pairs_in_turn():
    made = Activations({SD15_SITES[0]: torch.randn(2, 7, 3, 8)}, SIGMAS)
    assert made.folds.tolist() == [0, 1, 2, 3, 4, 0, 1]
