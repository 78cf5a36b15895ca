import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.directions.whitening import ledoit_wolf, whitened_readout


def samples(seed=0, count=400, width=12):
    """Positives and negatives that differ along one direction and vary strongly along an oblique one."""
    generator = torch.Generator().manual_seed(seed)
    truth, other = torch.linalg.qr(torch.randn(width, 2, generator=generator, dtype=torch.float64))[0].T
    negative = torch.randn(count, width, generator=generator, dtype=torch.float64)
    nuisance = truth + other  # not orthogonal to the concept, so reading along the concept reads it too
    negative = negative + 6 * torch.randn(count, 1, generator=generator, dtype=torch.float64) * nuisance
    return negative.flip(0) + 4 * truth, negative, truth


def row_of(positive, negative):
    return torch.nn.functional.normalize((positive - negative).mean(0, keepdim=True), dim=-1)


def erased(positive, negative, readout, row):
    """Both sets with the coordinate taken to that of the common mean."""
    every = torch.cat([positive, negative])
    return every - ((every - every.mean(0)) @ readout.mT) @ row


@given(seed=st.integers(0, 10_000), rank=st.integers(1, 3), width=st.sampled_from([6, 200]))
def test_what_is_read_of_a_direction_is_all_of_it(seed, rank, width):
    generator = torch.Generator().manual_seed(seed)
    positive, negative = torch.randn(2, 20, width, generator=generator, dtype=torch.float64)
    rows = torch.linalg.qr(torch.randn(width, rank, generator=generator, dtype=torch.float64))[0].mT
    readout = whitened_readout(positive, negative, rows)
    torch.testing.assert_close(readout @ rows.mT, torch.eye(rank, dtype=torch.float64), atol=1e-8, rtol=0)


@pytest.mark.parametrize(("count", "width"), [(400, 12), (10, 40)])
def test_it_is_what_a_full_shrunk_covariance_gives(count, width):
    covariance = pytest.importorskip("sklearn.covariance")
    positive, negative, _ = samples(count=count, width=width)
    row = row_of(positive, negative)
    full = torch.from_numpy(covariance.ledoit_wolf(torch.cat([positive, negative]).numpy())[0])
    solved = torch.linalg.solve(full, row[0])
    expected = solved / (solved @ row[0])
    torch.testing.assert_close(whitened_readout(positive, negative, row)[0], expected, atol=1e-9, rtol=0)


@given(
    seed=st.integers(0, 10_000),
    count=st.integers(2, 30),
    width=st.integers(2, 60),
    scale=st.sampled_from([1e-4, 1, 1e3]),
)
def test_the_shrinkage_is_what_scikit_learn_finds(seed, count, width, scale):
    covariance = pytest.importorskip("sklearn.covariance")
    made = scale * torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    made[:, 0] *= 5  # something that stands out, so that the shrinkage is not always 1
    centred = made - made.mean(0)
    expected = pytest.approx(covariance.ledoit_wolf_shrinkage(made.numpy()), abs=1e-9)
    for moment in (centred.mT @ centred, centred @ centred.mT):
        assert ledoit_wolf(centred, moment) == expected


def test_it_erases_as_leace_does_with_the_least_change():
    positive, negative, _ = samples(count=4000)
    row = row_of(positive, negative)
    every = torch.cat([positive, negative])
    label = torch.cat([torch.ones(4000), torch.zeros(4000)]).double()
    whitened, plain = (
        erased(positive, negative, readout, row) for readout in (whitened_readout(positive, negative, row), row)
    )
    for made in (whitened, plain):  # neither leaves a linear trace of the concept
        left = ((made - made.mean(0)) * (label - 0.5)[:, None]).mean(0).norm()
        assert left < 0.02 * (positive - negative).mean(0).norm()  # shrinkage is small at 8000 samples of 12 channels
    # In units of the samples' own spread, the whitened reading moves them less.
    inverse = torch.linalg.inv(torch.cov(every.mT))
    moved = [((every - made) @ inverse * (every - made)).sum(1).mean() for made in (whitened, plain)]
    assert moved[0] < 0.5 * moved[1]


def test_where_nothing_varies_the_direction_reads_itself():
    row = torch.eye(1, 5, dtype=torch.float64)
    assert torch.equal(whitened_readout(torch.ones(3, 5), torch.ones(3, 5), row), row)
