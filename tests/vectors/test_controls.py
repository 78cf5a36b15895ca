import pytest
import torch

from steering.activations.store import Activations
from steering.interventions.engine import Steering
from steering.interventions.entry import Entry
from steering.interventions.presets import GATES, EditSettings
from steering.models.call import Call
from steering.sites import SD15_SITES
from steering.vectors.build import build
from steering.vectors.calibration import with_thresholds
from steering.vectors.controls import isotropic, other_concept, sign_flip


def planted(seed):
    torch.manual_seed(seed)
    tensor = torch.randn(2, 20, 2, 16)
    tensor[0] += 5 * torch.nn.functional.normalize(torch.randn(16), dim=0)
    return Activations({SD15_SITES[0]: tensor}, torch.tensor([5.0, 1.0]))


@pytest.mark.parametrize("rank", [1, 3])
def test_controls_move_every_token_by_the_same_amount_along_another_direction(rank):
    activations, site = planted(0), SD15_SITES[0]
    vector = build(activations, top_k=1, direction="pca", rank=rank)
    output, call = torch.randn(1, 6, 16), Call((5.0,), (True,))

    vector = with_thresholds(vector, {site: torch.full((2, rank), 0.1)})
    for gate in set(GATES) - {"prompt"}:  # which asks for a condition

        def moved(v, gate=gate):
            return Steering([Entry(v, 2.5, EditSettings("negative", gate))]).edit(site, output, call) - output

        size = moved(vector).norm(dim=-1)
        assert size.max() > 0
        for control in (sign_flip(vector, activations), isotropic(vector), other_concept(vector, planted(1))):
            torch.testing.assert_close(moved(control).norm(dim=-1), size, atol=1e-5, rtol=1e-5)
            assert not torch.allclose(moved(control), moved(vector))


@pytest.mark.parametrize("direction", ["whitened", "affine"])
def test_controls_of_a_vector_with_a_readout_of_its_own_read_with_it(direction):
    activations, site = planted(0), SD15_SITES[0]
    vector = build(activations, top_k=1, direction=direction)
    assert not torch.equal(vector.sites[site].rows_read, vector.sites[site].direction)
    for control in (sign_flip(vector, activations), isotropic(vector), other_concept(vector, planted(1))):
        assert torch.equal(control.sites[site].rows_read, vector.sites[site].rows_read)


@pytest.mark.parametrize("rank", [1, 3])
def test_random_controls_are_orthogonal_to_the_concept(rank):
    activations, site = planted(0), SD15_SITES[0]
    vector = build(activations, top_k=1, direction="pca", rank=rank)
    for control in (sign_flip(vector, activations), isotropic(vector)):
        cosines = control.sites[site].direction @ vector.sites[site].direction.mT
        assert cosines.abs().max() < 1e-5  # float32 rounding over 16 channels


def test_a_control_of_one_row_is_the_plain_unit_vector():
    activations, site, other = planted(0), SD15_SITES[0], planted(1)
    written = other_concept(build(activations, top_k=1), other).sites[site].direction[:, 0]
    difference = (other.tensors[site][0] - other.tensors[site][1]).mean(0)
    torch.testing.assert_close(written, torch.nn.functional.normalize(difference, dim=-1))


def test_flipped_signs_average_the_pairs_with_one_sign_each():
    activations, site = planted(0), SD15_SITES[0]
    vector = build(activations, top_k=1)
    direction = vector.sites[site].direction[:, 0]
    positive, negative = activations.tensors[site]
    written = sign_flip(vector, activations, seed=3).sites[site].direction[:, 0]
    signs = torch.randint(0, 2, (1, 20), generator=torch.Generator().manual_seed(3))[0] * 2.0 - 1
    assert set(signs.tolist()) == {-1.0, 1.0}
    sums = torch.einsum("n,nsc->sc", signs, positive - negative)
    sums = sums - (sums * direction).sum(-1, keepdim=True) * direction
    torch.testing.assert_close(written, torch.nn.functional.normalize(sums, dim=-1), atol=1e-5, rtol=1e-5)


def test_a_seed_draws_the_same_control_again_and_another_seed_another():
    activations, site = planted(0), SD15_SITES[0]
    vector = build(activations, top_k=1)

    def rows(control):
        return control.sites[site].direction

    for make in (lambda seed: isotropic(vector, seed), lambda seed: sign_flip(vector, activations, seed)):
        assert torch.equal(rows(make(4)), rows(make(4)))
        assert not torch.allclose(rows(make(4)), rows(make(5)), atol=0.1)
