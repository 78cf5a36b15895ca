from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.errors import SteeringError
from steering.sites import Site
from steering.vectors.combine import COMBINATIONS, combine, scale
from steering.vectors.similarity import cosine_table, cosines, name_of
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

# Directions are kept in float32 and combined in float32 or float64; unit rows of 24 channels round below this.
TOLERANCE = 1e-5
SITES = [Site.parse(name) for name in ("in4.attn2", "mid.ff", "out5.attn2")]
SIGMAS = torch.tensor([10.0, 1.0, 0.1])
WIDTH = 24


def made(seed, sites=SITES, rank=1, sigmas=SIGMAS, actives=SIGMAS, concept="thing", threshold=False):
    generator = torch.Generator().manual_seed(seed)
    parts = {}
    for site in sites:
        rows = torch.linalg.qr(torch.randn(len(sigmas), WIDTH, rank, generator=generator)).Q.mT.contiguous()
        gaps = torch.rand(len(sigmas), rank, generator=generator) + 0.5
        gaps[:, 1:] = 0  # the other rows are orthogonal to the mean difference
        difference = torch.einsum("sk,skc->sc", gaps, rows)
        mean = torch.randn(len(sigmas), WIDTH, generator=generator)
        limit = torch.rand(len(sigmas), rank, generator=generator) if threshold else None
        parts[site] = SiteVector(rows, mean, difference, torch.ones(len(actives), dtype=torch.bool), limit)
    return SteeringVector(parts, sigmas, actives, {"concept": concept, "model": {"family": "toy"}})


def same(a, b, tolerance=TOLERANCE):
    assert list(a.sites) == list(b.sites)
    for site, part in a.sites.items():
        other = b.sites[site]
        for name in ("direction", "negative_mean", "difference"):
            torch.testing.assert_close(getattr(part, name), getattr(other, name), atol=tolerance, rtol=tolerance)
        assert torch.equal(part.active, other.active)


seeds = st.integers(0, 10_000)


def at(vector, *levels):
    """The vector, steered at some of its noise levels only."""
    active = torch.tensor([i in levels for i in range(len(vector.active_sigmas))])
    return replace(vector, sites={site: replace(part, active=active) for site, part in vector.sites.items()})


@pytest.mark.parametrize("how", ["add", "subtract", "orthogonalise"])
def test_a_part_says_nothing_at_noise_levels_where_it_is_not_steered(how):
    one, other = made(1), at(made(2), 2)
    total, alone = combine([one, other], how), combine([one, made(2)], how)
    for site, part in total.sites.items():
        assert torch.equal(part.active, torch.ones(3, dtype=torch.bool))
        torch.testing.assert_close(part.displacement[:2], one.sites[site].displacement[:2], atol=TOLERANCE, rtol=0)
        torch.testing.assert_close(part.displacement[2], alone.sites[site].displacement[2], atol=TOLERANCE, rtol=0)
        assert (part.displacement[0] - alone.sites[site].displacement[0]).norm() > 0.01  # there was something to say


def test_gram_schmidt_says_that_it_steers_all_wherever_one_is():
    with pytest.warns(UserWarning, match="gram-schmidt steers all of them wherever one is"):
        combine([made(1), at(made(2), 2)], "gram-schmidt")


@given(seeds)
def test_a_sum_is_the_sum_of_displacements(seed):
    a, b = made(seed), made(seed + 1)
    total = combine([a, b], "add")
    for site, part in total.sites.items():
        expected = a.sites[site].displacement + b.sites[site].displacement
        torch.testing.assert_close(part.displacement, expected, atol=TOLERANCE, rtol=0)
        torch.testing.assert_close(
            part.negative_mean, (a.sites[site].negative_mean + b.sites[site].negative_mean) / 2, atol=0, rtol=0
        )
    same(total, combine([b, a], "add"))


@given(seeds, st.floats(0.1, 5))
def test_twice_a_vector_is_the_vector_and_itself(seed, weight):
    a = made(seed)
    same(combine([a, a], "add"), combine([a], "add", [2]))
    same(combine([a, a, a], "average"), a)
    same(scale(scale(a, weight), 1 / weight), a)


@given(seeds)
def test_minus_swaps_with_and_without_and_minus_minus_is_plus(seed):
    a, b = made(seed), made(seed + 1)
    turned = scale(a, -1)
    for site, part in turned.sites.items():
        positive_mean = a.sites[site].negative_mean + a.sites[site].difference
        torch.testing.assert_close(part.negative_mean, positive_mean, atol=0, rtol=0)
        torch.testing.assert_close(part.gap, a.sites[site].gap, atol=TOLERANCE, rtol=0)  # as long, the other way
    same(scale(turned, -1), a)
    same(combine([a, b], "subtract"), combine([a, b], "add", [1, -1]))
    assert float(cosines([a, turned])[0, 1]) == pytest.approx(-1, abs=TOLERANCE)


@given(seeds, st.integers(1, 3), st.integers(1, 3))
def test_orthogonalised_against_others_nothing_of_them_is_left(seed, rank, others):
    a, against = made(seed, rank=rank), [made(seed + 1 + i, rank=rank) for i in range(others)]
    left = combine([a, *against], "orthogonalise")
    for site, part in left.sites.items():
        assert (a.sites[site].direction @ against[0].sites[site].direction.mT).abs().max() > 1e-3  # there was something
        for other in against:
            assert (part.direction @ other.sites[site].direction.mT).abs().max() < TOLERANCE
            along = torch.einsum("sc,skc->sk", part.difference, other.sites[site].direction)
            assert along.abs().max() < TOLERANCE
        assert (part.gap[:, 0] > 0).all()
    again = combine([left, *against], "orthogonalise")  # once is enough; rows behind the first may turn
    for site, part in again.sites.items():
        before = left.sites[site]
        torch.testing.assert_close(part.direction[:, 0], before.direction[:, 0], atol=TOLERANCE, rtol=0)
        spans = [entry.direction.mT @ entry.direction for entry in (part, before)]
        torch.testing.assert_close(*spans, atol=TOLERANCE, rtol=0)


@given(seeds, st.integers(1, 2), st.integers(2, 3))
def test_gram_schmidt_spans_all_directions_and_leads_with_their_sum(seed, rank, count):
    vectors = [made(seed + i, rank=rank) for i in range(count)]
    whole = combine(vectors, "gram-schmidt")
    total = combine(vectors, "add")
    for site, part in whole.sites.items():
        assert part.direction.shape[1] == rank * count
        for vector in vectors:
            rows = vector.sites[site].direction
            torch.testing.assert_close(rows @ part.direction.mT @ part.direction, rows, atol=TOLERANCE, rtol=0)
        lead, wanted = part.direction[:, 0], total.sites[site].direction[:, 0]
        torch.testing.assert_close(lead, wanted, atol=1e-4, rtol=0)  # the sum lies in the span, up to two roundings


@given(seeds)
def test_what_is_left_of_a_vector_points_where_the_vector_points(seed):
    """Also where the mean difference lies outside of the directions, as it does for pca and cpca."""
    a, b = made(seed), made(seed + 1)
    generator = torch.Generator().manual_seed(seed)
    sites = {
        site: replace(part, difference=part.difference + 3 * torch.randn(part.difference.shape, generator=generator))
        for site, part in a.sites.items()
    }
    tilted = replace(a, sites={site: part for site, part in sites.items() if (part.gap > 0.1).all()} or a.sites)
    left = combine([tilted, b], "orthogonalise")
    for site, part in left.sites.items():
        assert ((part.direction[:, 0] * tilted.sites[site].direction[:, 0]).sum(-1) > 0).all()


def test_what_is_protected_is_protected_at_every_noise_level():
    """Two of the others may say the same at one noise level and not at the next."""
    a, b, c = made(0, SITES[:1]), made(1, SITES[:1]), made(2, SITES[:1])
    part, other = c.sites[SITES[0]], b.sites[SITES[0]]
    rows, difference = part.direction.clone(), part.difference.clone()
    rows[0], difference[0] = other.direction[0], other.difference[0]
    nearly = torch.nn.functional.normalize(other.direction[2] + 0.05 * rows[2], dim=-1)
    rows[2], difference[2] = nearly, nearly[0]
    c = replace(c, sites={SITES[0]: replace(part, direction=rows, difference=difference)})
    left = combine([a, b, c], "orthogonalise").sites[SITES[0]]
    assert (a.sites[SITES[0]].direction * rows).sum(-1).abs().max() > 1e-2
    for against in (other.direction, rows):
        # Rows as near as 0.05 magnify the rounding of float32 twentyfold.
        assert (left.direction @ against.mT).abs().max() < 20 * TOLERANCE


def test_a_direction_that_is_said_already_is_left_out():
    a = made(0)
    nearly = {
        site: replace(part, direction=torch.nn.functional.normalize(part.direction + 0.01, dim=-1))
        for site, part in a.sites.items()
    }
    whole = combine([a, replace(a, sites=nearly)], "gram-schmidt")
    assert {part.direction.shape[1] for part in whole.sites.values()} == {1}
    with pytest.raises(ValueError, match="nothing of the first vector is left"):
        combine([a, replace(a, sites=nearly)], "orthogonalise")
    assert a.sites[SITES[0]].direction.shape == nearly[SITES[0]].direction.shape
    with pytest.raises(ValueError, match="cancel each other out"):
        combine([a, a], "subtract")


def test_a_site_of_one_vector_alone_stays_that_ones():
    a, b = made(0, SITES[:2], rank=2), made(1, SITES[1:])
    total = combine([a, b], "add")
    assert list(total.sites) == SITES
    assert torch.equal(total.sites[SITES[0]].direction, a.sites[SITES[0]].direction)
    assert total.sites[SITES[1]].direction.shape[1] == 1
    left = combine([a, b], "orthogonalise")
    assert list(left.sites) == SITES[:2]
    assert torch.equal(left.sites[SITES[0]].direction, a.sites[SITES[0]].direction)


def test_a_constant_vector_meets_one_with_steps_at_its_steps():
    steps, constant = made(0), made(1, sigmas=SIGMAS[1:2])
    total = combine([constant, steps], "add")
    assert torch.equal(total.sigmas, SIGMAS)
    expected = steps.sites[SITES[0]].displacement + constant.sites[SITES[0]].displacement
    torch.testing.assert_close(total.sites[SITES[0]].displacement, expected, atol=TOLERANCE, rtol=0)


def test_a_noise_level_without_a_difference_takes_no_part():
    """Early sites see no text at the first step: their direction there is a placeholder, the same in all vectors."""
    vectors = []
    for seed in (0, 1, 2):
        vector = made(seed, SITES[:1])
        part = vector.sites[SITES[0]]
        rows, difference = part.direction.clone(), part.difference.clone()
        rows[0], difference[0] = torch.eye(1, WIDTH), 0
        active = torch.tensor([False, True, True])
        vectors.append(
            replace(vector, sites={SITES[0]: replace(part, direction=rows, difference=difference, active=active)})
        )
    for how in COMBINATIONS:
        result = combine(vectors, how).sites[SITES[0]]
        assert result.active.tolist() == [False, True, True]
        gram = result.direction @ result.direction.mT
        torch.testing.assert_close(gram, torch.eye(gram.shape[1]).expand_as(gram), atol=TOLERANCE, rtol=0)
    assert combine(vectors, "gram-schmidt").sites[SITES[0]].direction.shape[1] == 3


def test_thresholds_survive_a_positive_weight_alone():
    a = made(0, threshold=True)
    assert combine([a], "add", [2]).sites[SITES[0]].threshold is not None
    assert combine([a], "add", [-2]).sites[SITES[0]].threshold is None
    assert combine([a, made(1)], "add").sites[SITES[0]].threshold is None


def test_cosines_are_those_of_the_leading_directions():
    a, b = made(0), made(1, SITES[:1])
    matrix = cosines([a, b, scale(a, -1)])
    torch.testing.assert_close(matrix, matrix.T, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(matrix.diagonal(), torch.ones(3), atol=TOLERANCE, rtol=0)
    rows = (a.sites[SITES[0]].direction * b.sites[SITES[0]].direction).sum(-1)
    assert float(matrix[0, 1]) == pytest.approx(float(rows.mean()), abs=TOLERANCE)
    apart = cosines([made(0, SITES[:1]), made(1, SITES[1:])])
    assert apart[0, 1].isnan()
    text = cosine_table(["dog", "cat"], apart)
    assert text.splitlines()[1].split() == ["dog", "1.000", "-"]


def test_the_metadata_say_what_it_was_made_of():
    a, b = made(0, concept="dog"), replace(made(1, concept="cat"), metadata={"concept": "cat"})
    about = combine([a, b], "subtract", [2, 1]).metadata
    assert about["concept"] == "2 x dog - cat"
    assert about["method"] == {"combination": "subtract"}
    assert [part["digest"] for part in about["parts"]] == [a.digest(lengths=True), b.digest(lengths=True)]
    assert scale(a, 2).digest() == a.digest()  # suppresses alike
    assert scale(a, 2).digest(lengths=True) != a.digest(lengths=True)
    assert about["model"] == {"family": "toy"}  # one does not say, and the other's is true of the whole
    tuned = replace(a, metadata={"model": {"family": "toy", "weights": "other"}})
    assert combine([a, tuned], "average").metadata["model"] == {"family": "toy"}
    foreign = replace(a, metadata={"model": {"family": "sd2"}})
    for how in COMBINATIONS:
        with pytest.raises(SteeringError, match="vectors of sd2 and toy do not go together"):
            combine([a, foreign], how)
    assert combine([a, a], "average").metadata["model"] == {"family": "toy"}
    assert name_of(replace(a, metadata={}), 1) == "vector 2"


def test_what_cannot_be_combined_is_refused_with_a_sentence():
    a = made(0)
    narrow = made(0)
    narrow = replace(
        narrow,
        sites={SITES[0]: SiteVector(torch.eye(1, 8).expand(3, 1, 8), *(torch.ones(3, 8),) * 2, torch.ones(3) > 0)},
    )
    for arguments, message in (
        (([a], "mix"), "add, subtract, average"),
        (([a, narrow], "add"), "made for the same model"),
        (([], "add"), "give one each"),
        (([a], "add", [1, 2]), "2 weights do not fit 1"),
        (([a], "add", [0]), "leaves no vector"),
        (([a], "add", [float("nan")]), "leaves no vector"),
    ):
        with pytest.raises(ValueError, match=message):
            combine(*arguments)


def test_a_combination_says_what_its_parts_share_and_what_it_was_made_from():
    drawn = {"sampler": "euler", "scheduler": "normal", "steps": 30, "guidance": 7.5, "size": 128}
    a, b = made(0, concept="dog"), made(1, concept="")
    a = replace(a, metadata={**a.metadata, **drawn, "seed": 0, "recommended": {"strength": 2.0}})
    b = replace(b, metadata={**b.metadata, **drawn, "steps": 20})
    total = combine([a, b], "add", [1.0, 0.5])
    assert total.metadata == {
        "model": {"family": "toy"},
        **{key: value for key, value in drawn.items() if key != "steps"},
        "concept": "dog + 0.5 x vector 2",
        "method": {"combination": "add"},
        "parts": [
            {"concept": "dog", "weight": 1.0, "digest": a.digest(lengths=True)},
            {"concept": "vector 2", "weight": 0.5, "digest": b.digest(lengths=True)},
        ],
    }


def test_one_vector_scaled_keeps_its_metadata_but_not_the_tuned_setting():
    a = made(0)
    a = replace(a, metadata={**a.metadata, "seed": 3, "recommended": {"strength": 2.0}})
    about = combine([a], "add", [2.0]).metadata
    assert about["seed"] == 3
    assert "recommended" not in about


def test_a_negative_weight_turns_the_readout_too():
    a = made(0)
    parts = {site: replace(part, readout=part.direction.flip(-1)) for site, part in a.sites.items()}
    a = replace(a, sites=parts)
    for site, part in scale(a, -2.0).sites.items():
        assert torch.equal(part.readout, -a.sites[site].readout)
        assert torch.equal(part.direction, -a.sites[site].direction)


@pytest.mark.parametrize("how", COMBINATIONS)
@pytest.mark.parametrize("changes", [{"readout": 1}, {"condition": 1}], ids=lambda changes: next(iter(changes)))
def test_what_reads_tokens_otherwise_than_along_its_directions_has_no_sum(how, changes):
    plain, (site, part) = made(1), next(iter(made(0).sites.items()))
    value = {"readout": part.direction.flip(-1), "condition": torch.ones(part.width + 1)}
    map_ = replace(made(0), sites={site: replace(part, **{name: value[name] for name in changes})})
    with pytest.raises(ValueError, match="cannot be combined at a site that they share; apply them one after"):
        combine([map_, plain], how)
    elsewhere = replace(plain, sites={other: part for other, part in plain.sites.items() if other != site})
    kept = combine([map_, elsewhere], how).sites[site]
    for name in changes:
        assert torch.equal(getattr(kept, name), value[name])
