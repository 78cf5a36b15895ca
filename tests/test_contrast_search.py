import pytest
import torch

from steering.activations import Activations
from steering.contrast_search import search
from steering.sites import Site

SITES = [Site.parse(name) for name in ("in4.attn2", "out5.ff")]
SIGMAS = torch.tensor([10.0, 5.0, 1.0, 0.1])


def planted(pairs=20, width=60):
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for site in SITES:
        shift, nuisance = torch.linalg.qr(torch.randn(width, 2, generator=generator))[0].T
        wide = 10 * torch.randn(2, pairs, len(SIGMAS), 1, generator=generator) * nuisance
        tensor = wide + 0.1 * torch.randn(2, pairs, len(SIGMAS), width, generator=generator)
        tensor[0] += 2 * shift
        tensor[:, :, 0] = 1  # nothing to see at the first level
        tensors[site] = tensor
    return Activations(tensors, SIGMAS)


def test_it_finds_the_alpha_at_which_held_out_pairs_are_told_apart():
    done = []
    found = search(planted(), every=1, ranks=(1, 2), progress=done.append)
    assert len(done) == 8
    assert found.site_steps == 6  # the first level is inactive
    alpha, rank, value = found.best()
    assert alpha > 1
    assert rank in found.ranks
    assert value > 0.9 > 0.6 > found.mean_difference
    assert found.table[0, 0] < 0.5  # alpha 0 is PCA, which finds what varies anyway
    assert found.table.shape == (41, 2)


def test_sites_levels_and_ranks_can_be_fewer():
    found = search(planted(), sites=SITES[:1], every=2, alphas=(0.0, 10.0), ranks=(1, 500))
    assert found.site_steps == 1
    assert found.ranks == (1,)


def test_what_cannot_be_searched_is_refused():
    activations = planted()
    one = Activations({site: tensor[:, :1] for site, tensor in activations.tensors.items()}, SIGMAS)
    same = Activations({site: torch.ones_like(tensor) for site, tensor in activations.tensors.items()}, SIGMAS)
    for arguments, message in (
        ((activations, "mean"), "has no alpha"),
        ((one,), "at least two"),
        ((same,), "no site reacts"),
    ):
        with pytest.raises(ValueError, match=message):
            search(*arguments)
