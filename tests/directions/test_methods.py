import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.directions.methods import CONTRASTS, DIRECTIONS, contrastive, get_direction, mean_difference, principal
from steering.errors import SteeringError


@pytest.mark.parametrize("name", DIRECTIONS)
@given(seed=st.integers(0, 10_000), width=st.sampled_from([3, 40, 200]))
def test_rows_are_orthonormal_and_point_along_the_difference(name, seed, width):
    generator = torch.Generator().manual_seed(seed)
    positive, negative = torch.randn(2, 20, width, generator=generator, dtype=torch.float64)
    rows = get_direction(name)(positive, negative, 1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows), dtype=torch.float64), atol=1e-12, rtol=0)
    assert rows[0] @ (positive - negative).mean(0) >= 0


@pytest.mark.parametrize("name", ["mean", "pca"])
def test_a_planted_direction_is_found_and_swapping_sides_turns_it(name):
    generator = torch.Generator().manual_seed(0)
    truth = torch.nn.functional.normalize(torch.randn(64, generator=generator), dim=0)
    negative = torch.randn(50, 64, generator=generator)
    positive = negative + 6 * truth + 0.3 * torch.randn(50, 64, generator=generator)
    row = get_direction(name)(positive, negative, 1)[0]
    assert row @ truth > 0.99
    torch.testing.assert_close(get_direction(name)(negative, positive, 1)[0], -row)


@given(seed=st.integers(0, 10_000), rank=st.integers(1, 6))
def test_principal_rows_span_the_leading_singular_vectors_with_the_mean_in_front(seed, rank):
    generator = torch.Generator().manual_seed(seed)
    positive, negative = torch.randn(2, 20, 30, generator=generator, dtype=torch.float64)
    differences = positive - negative
    rows = principal(positive, negative, rank)
    torch.testing.assert_close(rows @ rows.T, torch.eye(rank, dtype=torch.float64), atol=1e-12, rtol=0)
    leading = torch.linalg.svd(differences).Vh[:rank]
    torch.testing.assert_close(rows.T @ rows, leading.T @ leading, atol=1e-9, rtol=0)  # the same span
    # Only the first row sees the mean difference, so a gate on it sees all of it that the span holds.
    seen = rows @ differences.mean(0)
    assert seen[0] >= 0
    torch.testing.assert_close(seen[1:], torch.zeros(rank - 1, dtype=torch.float64), atol=1e-9, rtol=0)


def test_two_unlike_things_need_two_directions():
    generator = torch.Generator().manual_seed(0)
    knife, bomb = torch.linalg.qr(torch.randn(64, 2, generator=generator))[0].T
    negative = torch.randn(50, 64, generator=generator)
    positive = negative + 5 * torch.where(torch.arange(50)[:, None] % 2 == 0, knife, bomb)

    def left_of_knife(rows):
        return (knife - rows.T @ (rows @ knife)).norm()

    assert left_of_knife(mean_difference(positive, negative)) > 0.6
    assert left_of_knife(principal(positive, negative, 2)) < 1e-3


def test_contrastive_components_keep_what_varies_with_the_concept_and_drop_what_varies_anyway():
    generator = torch.Generator().manual_seed(0)
    concept, other = torch.randn(2, 400, 1, generator=generator, dtype=torch.float64)
    noise = 0.01 * torch.randn(2, 400, 64, generator=generator, dtype=torch.float64)
    truth, nuisance = torch.linalg.qr(torch.randn(64, 2, generator=generator, dtype=torch.float64))[0].T
    negative = noise[0] + 5 * other * nuisance
    positive = noise[1] + (4 + concept) * truth + (4 + 5 * other) * nuisance
    assert mean_difference(positive, negative)[0] @ truth < 0.75  # as much nuisance as truth
    # Concept and nuisance correlate by chance, 0.05 at 400 pairs times 5 in scale, which tilts the components.
    assert contrastive(positive, negative)[0] @ truth > 0.95


@given(seed=st.integers(0, 10_000))
def test_the_span_of_the_samples_gives_what_full_covariances_give(seed):
    generator = torch.Generator().manual_seed(seed)
    positive, negative = torch.randn(2, 20, 60, generator=generator, dtype=torch.float64)
    full = (
        torch.cov(positive.mT) / torch.cov(positive.mT).trace()
        - torch.cov(negative.mT) / torch.cov(negative.mT).trace()
    )
    values, vectors = torch.linalg.eigh(full)
    leading = [i for i in range(59, -1, -1) if values[i] > 1e-12]
    shares = torch.cumsum(values[leading], 0) / values[leading].sum()
    basis = vectors[:, leading[: int((shares < 0.95).sum()) + 1]]
    expected = torch.nn.functional.normalize(basis @ (basis.mT @ (positive - negative).mean(0)), dim=0)
    torch.testing.assert_close(contrastive(positive, negative)[0], expected, atol=1e-8, rtol=0)  # eigenvector rounding


@pytest.mark.parametrize(
    ("name", "rank"), [("mean", 2), ("cpca", 2), ("cpca-denoised", 2), ("whitened", 2), ("pca", 0), ("pca", 21)]
)
def test_ranks_that_do_not_fit_are_refused(name, rank):
    with pytest.raises(ValueError, match=f"rank {rank}"):
        get_direction(name)(*torch.randn(2, 20, 30), rank)


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match="mean, pca"):
        get_direction("x")


@given(seed=st.integers(0, 10_000), rank=st.integers(1, 4))
def test_the_paired_contrast_at_alpha_zero_is_the_principal_directions(seed, rank):
    generator = torch.Generator().manual_seed(seed)
    positive, negative = torch.randn(2, 20, 30, generator=generator, dtype=torch.float64)
    rows, plain = get_direction("cpca-paired", 0)(positive, negative, rank), principal(positive, negative, rank)
    torch.testing.assert_close(rows.T @ rows, plain.T @ plain, atol=1e-6, rtol=0)
    torch.testing.assert_close(rows[0], plain[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", CONTRASTS)
def test_alpha_is_a_number_from_0_or_chosen(name):
    generator = torch.Generator().manual_seed(0)
    positive, negative = torch.randn(2, 20, 30, generator=generator, dtype=torch.float64)
    rows = {alpha: get_direction(name, alpha)(positive, negative, 1) for alpha in (0, 1.0, "1", 1000.0)}
    assert torch.equal(rows[1.0], rows["1"])
    assert not torch.allclose(rows[0], rows[1000.0], atol=1e-3)
    chosen = get_direction(name, "auto")(positive, negative, 1)
    assert torch.equal(chosen, get_direction(name, "auto")(positive, negative, 1))
    assert chosen[0] @ (positive - negative).mean(0) >= 0
    for bad in ("much", -1, float("nan"), float("inf"), None):
        with pytest.raises(ValueError, match="auto or a number from 0"):
            get_direction(name, bad)


def test_alpha_plays_no_part_elsewhere():
    assert get_direction("mean", 3) is mean_difference
    with pytest.raises(ValueError, match="auto or a number from 0"):
        get_direction("mean", float("nan"))
    with pytest.raises(ValueError, match="takes no number of components"):
        get_direction("pca", components=3)


def test_one_direction_of_more_components_is_the_mean_difference_within_their_span():
    positive, negative = torch.randn(2, 20, 30, dtype=torch.float64)
    one, five = (
        get_direction("cpca-paired", 1, 5)(positive, negative, 1),
        get_direction("cpca-paired", 1)(positive, negative, 5),
    )
    torch.testing.assert_close(one, five[:1], atol=1e-12, rtol=0)
    mean = (positive - negative).mean(0)
    within = torch.nn.functional.normalize((mean @ five.T @ five)[None], dim=-1)
    torch.testing.assert_close(one, within, atol=1e-9, rtol=0)


def test_the_span_holds_so_many_directions_and_no_more():
    positive, negative = torch.randn(2, 5, 30, dtype=torch.float64)
    for rank in (0, 6):
        with pytest.raises(ValueError, match="not within 1 to 5"):
            get_direction("cpca-paired")(positive, negative, rank)


def test_the_denoised_mean_difference_drops_what_pictures_differ_in_anyway():
    generator = torch.Generator().manual_seed(0)
    concept, moved, other = torch.randn(3, 400, 1, generator=generator, dtype=torch.float64)
    noise = 0.01 * torch.randn(2, 400, 64, generator=generator, dtype=torch.float64)
    truth, nuisance = torch.linalg.qr(torch.randn(64, 2, generator=generator, dtype=torch.float64))[0].T
    negative = noise[0] + 5 * other * nuisance
    # Pairs differ in how much of the concept they show, and by chance in something that negatives differ in as well.
    positive = negative + noise[1] + (4 + concept) * truth + (4 + 2 * moved) * nuisance
    assert mean_difference(positive, negative)[0] @ truth < 0.75
    # The two coefficients correlate by chance, 0.05 at 400 pairs, which tilts the component.
    assert get_direction("cpca-denoised", 1, 1)(positive, negative, 1)[0] @ truth > 0.95


def test_a_background_that_holds_the_signal_takes_it_away():
    generator = torch.Generator().manual_seed(0)
    truth, other = torch.linalg.qr(torch.randn(30, 2, generator=generator, dtype=torch.float64))[0].T
    negative = 0.1 * torch.randn(60, 30, generator=generator, dtype=torch.float64)
    positive = negative + 3 * truth + 2 * other
    method = get_direction("cpca-paired", 50, 1)
    varied = torch.randn(60, 1, generator=generator, dtype=torch.float64)
    for what, kept in ((truth, other), (other, truth)):
        row = method(positive, negative, 1, background=varied * what)[0]
        assert row @ what < 0.05
        assert row @ kept > 0.9


@pytest.mark.parametrize("name", CONTRASTS)
def test_no_background_is_the_centred_negatives(name):
    positive, negative = torch.randn(2, 20, 30, dtype=torch.float64)
    method = get_direction(name, 1.0)
    given = method(positive, negative, 1, background=negative - negative.mean(0))
    torch.testing.assert_close(method(positive, negative, 1), given, atol=1e-9, rtol=0)
    chosen = get_direction(name, "auto")(positive, negative, 1, background=torch.randn(9, 30, dtype=torch.float64))
    assert chosen.norm() == pytest.approx(1)


@pytest.mark.parametrize("name", ["mean", "pca", "cpca", "cpca-paired", "cpca-denoised"])
def test_one_direction_and_alpha_one_unless_told(name):
    positive, negative = some_pairs()
    method = DIRECTIONS[name]
    plain = method(positive, negative)
    assert plain.shape == (1, positive.shape[1])
    if name in CONTRASTS:
        assert torch.equal(plain, method(positive, negative, 1, 1.0))
        assert not torch.allclose(plain, method(positive, negative, 1, 4.0), atol=1e-3)
        assert torch.equal(plain, get_direction(name)(positive, negative))


@pytest.mark.parametrize("name", ["cpca", "cpca-paired", "cpca-denoised"])
@pytest.mark.parametrize("alpha", [2.0, "auto"])
def test_background_and_components_reach_every_contrast(name, alpha):
    if alpha == "auto":
        pytest.importorskip("sklearn")
    positive, negative = some_pairs()
    background = torch.randn(30, positive.shape[1], generator=torch.Generator().manual_seed(9)).double() * 3
    plain = get_direction(name, alpha)(positive, negative)
    two = get_direction(name, alpha, 2)(positive, negative)
    assert not torch.allclose(plain, two, atol=1e-3)
    if alpha != "auto":  # which may choose 0, and with it no background
        other = get_direction(name, alpha)(positive, negative, 1, background=background)
        assert not torch.allclose(plain, other, atol=1e-3)


def test_the_denoising_contrast_is_that_of_paired_differences():
    positive, negative = some_pairs()
    shared = torch.randn(20, positive.shape[1], generator=torch.Generator().manual_seed(4)).double() * 5
    made, moved = (
        get_direction("cpca-denoised", 0.0, 2)(positive + part, negative + part) for part in (0 * shared, shared)
    )
    # What both sides of a pair share is in no difference of theirs.
    torch.testing.assert_close(made, moved, atol=1e-9, rtol=1e-9)


def test_as_many_directions_as_pairs_and_no_more():
    positive, negative = some_pairs()
    for name in ("pca", "cpca-paired"):
        assert len(get_direction(name, 1.0)(positive[:3], negative[:3], 3)) == 3
        with pytest.raises(SteeringError, match="1 to 3"):
            get_direction(name, 1.0)(positive[:3], negative[:3], 4)


def some_pairs(pairs=20, width=12):
    generator = torch.Generator().manual_seed(5)
    positive, negative = torch.randn(2, pairs, width, generator=generator).double()
    lead = torch.nn.functional.normalize(torch.randn(width, generator=generator), dim=0).double()
    # The concept varies from pair to pair, beside noise of very different sizes a channel.
    scale = torch.linspace(0.2, 3, width).double()
    return positive * scale + 3 * torch.rand(pairs, 1, generator=generator) * lead, negative * scale


@pytest.mark.parametrize("name", ["cpca", "cpca-denoised"])
def test_components_beyond_what_the_samples_span_are_refused(name):
    positive, negative = torch.randn(2, 6, 30, dtype=torch.float64)
    assert get_direction(name, 1.0, 10)(positive, negative).shape == (1, 30)
    for components in (11, 0, -3):
        with pytest.raises(ValueError, match=rf"components {components} are not within 1 to 10"):
            get_direction(name, 1.0, components)(positive, negative)


@pytest.mark.parametrize("name", ["cpca", "cpca-denoised"])
@pytest.mark.parametrize(("pairs", "components"), [(2, None), (3, None), (4, None), (5, None), (50, 90)])
def test_few_pairs_give_one_direction_whatever_their_order(name, pairs, components):
    """What no sample varies in is of rounding, which another order changes."""
    positive, negative = torch.randn(2, pairs, 320, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    method = get_direction(name, 1.0, components)
    there, back = method(positive, negative), method(positive.flip(0), negative.flip(0))
    assert float((there * back).sum()) == pytest.approx(1, abs=1e-9)  # double precision
