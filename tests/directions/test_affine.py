"""The affine map: what it is the best of, what it keeps, and that a vector holds it."""

import pytest
import torch

from steering.activations.store import Activations
from steering.directions.affine import RIDGE, affine_readout, affine_rows
from steering.errors import SteeringError
from steering.interventions.operators import Rows, suppress
from steering.interventions.presets import get_preset
from steering.sites import TEXT
from steering.vectors.build import build


def pairs(n=60, width=10, seed=0):
    """Negatives anywhere, positives the same but for two coordinates that depend on a third."""
    generator = torch.Generator().manual_seed(seed)
    negative = torch.randn(n, width, generator=generator, dtype=torch.float64)
    positive = negative.clone()
    positive[:, 0] += 4
    positive[:, 1] += 2 + positive[:, 2]
    return positive, negative


def moved(x, positive, negative, rank, kept=None):
    rows = affine_rows(positive, negative, rank, kept)
    return x - (x - negative.mean(0)) @ affine_readout(positive, negative, rows, kept).T @ rows


def loss(change, positive, negative, kept):
    """What the map is to minimise, written out."""
    mean = negative.mean(0)
    here, there = positive - mean, torch.cat([negative, kept]) - mean
    ridge = RIDGE * (here.square().sum() + there.square().sum()) / len(change)
    wanted = here @ change.T - (negative - positive)
    return wanted.square().sum() + (there @ change.T).square().sum() + ridge * change.square().sum()


def test_no_map_of_its_rank_is_better():
    positive, negative = pairs()
    kept = torch.randn(20, 10, dtype=torch.float64)
    for rank in (1, 2, 10):
        rows = affine_rows(positive, negative, rank, kept)
        change = -rows.T @ affine_readout(positive, negative, rows, kept)
        best = loss(change, positive, negative, kept)
        for step in (1e-3, -1e-3):
            for _ in range(20):  # any other map of the rank nearby: its factors turned a little
                turn = torch.randn(10, 10, dtype=torch.float64)
                other = (torch.eye(10) + step * turn) @ change @ (torch.eye(10) + step * turn.T)
                assert loss(other, positive, negative, kept) >= best * (1 - 1e-12)  # rounding of float64
        assert torch.linalg.matrix_rank(change, tol=1e-8) == min(rank, 2)  # positives differ in two coordinates


def test_what_stays_may_weigh_more_as_if_it_were_there_more_often():
    positive, negative = pairs()
    rows, kept = affine_rows(positive, negative, 2), torch.randn(20, 10, dtype=torch.float64)
    thrice = torch.cat([kept, *[torch.cat([negative, kept])] * 2])
    weighed = affine_readout(positive, negative, rows, kept, staying=3)
    torch.testing.assert_close(weighed, affine_readout(positive, negative, rows, thrice))
    assert (weighed - affine_readout(positive, negative, rows, kept)).norm() > 0.01 * weighed.norm()


def test_positives_come_to_their_negatives_and_negatives_stay():
    positive, negative = pairs()
    before = (positive - negative).norm()
    after, kept = moved(positive, positive, negative, 10), moved(negative, positive, negative, 10)
    assert before > 30  # the effect exists
    assert (after - negative).norm() < 0.6 * before  # the negatives ask for the opposite, and have half of the say
    assert (kept - negative).norm() < 0.6 * before
    torch.testing.assert_close(moved(negative.mean(0)[None], positive, negative, 10)[0], negative.mean(0))


def test_what_is_kept_moves_less_than_it_would():
    positive, negative = pairs()
    other = negative + torch.tensor([3.0, *[0.0] * 9], dtype=torch.float64)  # looks like the concept, and is none
    free, kept = (moved(other, positive, negative, 10, some) for some in (None, other.repeat(20, 1)))
    assert (kept - other).norm() < 0.3 * (free - other).norm()


def test_a_vector_holds_the_map_and_the_preset_applies_it():
    positive, negative = (side.float() for side in pairs())
    activations = Activations({TEXT: torch.stack([positive, negative])[:, :, None]}, torch.tensor([1.0]))
    vector = build(activations, select_by="text", direction="affine", time="constant", rank=3)
    entry = vector.entry(preset="affine", strength=1.0)
    x = torch.randn(5, 7, 10)
    found = suppress(x, entry.rows(TEXT, 1.0), get_preset("affine").settings)
    torch.testing.assert_close(found, moved(x.double(), *pairs(), 3).float(), atol=1e-4, rtol=1e-4)  # float32 rows
    assert isinstance(entry.rows(TEXT, 1.0), Rows)


def test_protected_captures_are_kept_and_not_made_orthogonal_to():
    positive, negative = (side.float() for side in pairs())
    other = negative + torch.tensor([3.0, *[0.0] * 9])
    sides = [torch.stack([one, negative])[:, :, None] for one in (positive, other)]
    concept, protected = (Activations({TEXT: side}, torch.tensor([1.0])) for side in sides)
    plain, kept = (
        build(concept, select_by="text", direction="affine", time="constant", rank=3, protect=some)
        for some in ([], [protected] * 20)
    )

    def shift(vector):
        rows = vector.entry(preset="affine").rows(TEXT, 1.0)
        return (suppress(other[None], rows, get_preset("affine").settings) - other).norm()

    assert shift(kept) < 0.3 * shift(plain)


@pytest.mark.parametrize("rank", [0, 11])
def test_ranks_that_there_are_not_are_refused(rank):
    with pytest.raises(SteeringError, match=f"rank {rank} is not within 1 to 10"):
        affine_rows(*pairs(), rank)
