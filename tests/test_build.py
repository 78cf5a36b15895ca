import pytest
import torch

from steering.activations import Activations
from steering.build import build, recommend, with_thresholds
from steering.sites import SD15_SITES


def planted(strengths, steps=4, width=16, pairs=20):
    tensors = {}
    for site, strength in zip(SD15_SITES, strengths, strict=False):
        tensor = torch.randn(2, pairs, steps, width)
        tensor[0] += strength * torch.nn.functional.normalize(torch.randn(width), dim=0)
        tensors[site] = tensor
    return Activations(tensors, torch.linspace(10, 1, steps), {"concept": "x"})


def test_the_parts_of_a_vector_are_what_they_are_called():
    activations = planted([5, 0, 5])
    vector = build(activations, top_k=2)
    assert list(vector.sites) == [SD15_SITES[0], SD15_SITES[2]]
    for site, part in vector.sites.items():
        positive, negative = activations.tensors[site]
        torch.testing.assert_close(part.negative_mean, negative.mean(0))
        torch.testing.assert_close(part.difference, (positive - negative).mean(0))
        expected = torch.nn.functional.normalize(part.difference, dim=-1)
        torch.testing.assert_close(part.direction[:, 0], expected)
        assert part.active.all()
    assert vector.metadata["method"]["top_k"] == 2


def test_constant_in_time_has_one_knot_and_keeps_its_window():
    activations = planted([5, 0.2])
    tensor = activations.tensors[SD15_SITES[0]]
    tensor[1, :, 0] = tensor[0, :, 0]
    vector = build(activations, top_k=1, select_by="overall", time="constant")
    part = vector.sites[SD15_SITES[0]]
    assert part.direction.shape == (1, 1, 16)
    assert part.active.tolist() == [False, True, True, True]
    assert len(vector.sigmas) == 1
    assert len(vector.active_sigmas) == 4


def test_a_step_without_difference_still_makes_a_legal_file(tmp_path):
    activations = planted([5])
    tensor = activations.tensors[SD15_SITES[0]]
    tensor[1, :, 0] = tensor[0, :, 0]
    vector = build(activations, top_k=1)
    vector.save(tmp_path / "v.safetensors")
    assert not vector.sites[SD15_SITES[0]].active[0]


def test_recommendations_and_thresholds_make_new_vectors():
    vector = build(planted([5]), top_k=1)
    advised = recommend(recommend(vector, preset="study"), strength=2.0)
    assert advised.metadata["recommended"] == {"preset": "study", "strength": 2.0}
    assert "recommended" not in vector.metadata
    site = SD15_SITES[0]
    assert with_thresholds(vector, {site: torch.ones(4, 1)}).sites[site].threshold.shape == (4, 1)
    assert vector.sites[site].threshold is None


@pytest.mark.parametrize("bad", [{"time": "x"}, {"direction": "x"}, {"select_by": "x"}, {"top_k": 0}])
def test_unknown_choices_are_refused(bad):
    with pytest.raises(ValueError):
        build(planted([5]), **bad)
