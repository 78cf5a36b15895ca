import pytest
import torch

from steering.activations.store import Activations
from steering.directions.contrast import held_out
from steering.directions.methods import get_direction
from steering.directions.search import search
from steering.sites import TEXT, Site
from steering.vectors.build import build

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
    found = search(planted(), every=1, components=(1, 2), progress=done.append)
    assert len(done) == 8
    assert found.site_steps == 6  # the first level is inactive
    alpha, count, value = found.best()
    assert alpha > 1
    assert count in found.components
    assert value > 0.9 > 0.6 > found.mean_difference
    assert found.table[0, 0] < 0.5  # alpha 0 is PCA, which finds what varies anyway
    assert found.table.shape == (41, 2)


def test_sites_levels_and_ranks_can_be_fewer():
    found = search(planted(), sites=SITES[:1], every=2, alphas=(0.0, 10.0), components=(1, 500))
    assert found.site_steps == 1
    assert found.components == (1,)


def test_the_table_holds_what_the_direction_that_is_built_earns():
    activations = planted()
    found = search(activations, sites=SITES[:1], every=3, alphas=(2.0,), components=(3,))
    positive, negative = activations.tensors[SITES[0]][:, :, 3].double()
    method = get_direction("cpca-paired", 2.0, 3)
    earned = held_out(positive, negative, lambda p, n: method(p, n, 1))
    assert float(found.table[0, 0]) == pytest.approx(earned, abs=1e-6)  # the table is float32


def test_what_cannot_be_searched_is_refused():
    activations = planted()
    one = Activations({site: tensor[:, :1] for site, tensor in activations.tensors.items()}, SIGMAS)
    same = Activations({site: torch.ones_like(tensor) for site, tensor in activations.tensors.items()}, SIGMAS)
    for arguments, message in (
        ((activations, None, 0), "at least 1"),
        ((one,), "at least two"),
        ((same,), "no site reacts"),
    ):
        with pytest.raises(ValueError, match=message):
            search(*arguments)


def test_rows_that_are_tokens_are_no_pairs_to_hold_out():
    text = Activations({TEXT: torch.randn(2, 12 * 4, 1, 8)}, torch.tensor([1.0]), {"tokens": 4})
    with pytest.raises(ValueError, match="rows of a capture of the text are tokens"):
        search(text)
    with pytest.raises(ValueError, match="alpha auto holds pairs out"):
        build(text, direction="cpca-paired", alpha="auto")
