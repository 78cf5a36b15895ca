"""The local map: what it learns, what it leaves alone, and that a vector holds it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from steering.activations.store import Activations
from steering.directions import kernel
from steering.directions.affine import affine_readout
from steering.directions.kernel import local_map, pivots, principal_rows
from steering.errors import SteeringError
from steering.folds import fold_numbers
from steering.interventions.operators import suppress
from steering.interventions.presets import get_preset
from steering.interventions.steer import steer
from steering.lora.bake import obstacles
from steering.sites import TEXT, Site
from steering.vectors.build import build
from steering.vectors.combine import combine, scale
from steering.vectors.vector import SteeringVector

WIDTH = 16
PAIRS = 60


def words(seed=0, count=4):
    """Places of a few words, far from each other ``[count, C]``."""
    generator = torch.Generator().manual_seed(seed)
    return 6 * torch.randn(count, WIDTH, generator=generator, dtype=torch.float64)


def near(places, seed, each=PAIRS):
    """Tokens near those places, in turn ``[each * count, C]``."""
    generator = torch.Generator().manual_seed(100 + seed)
    noise = torch.randn(each, *places.shape, generator=generator, dtype=torch.float64)
    return (places + 0.3 * noise).flatten(0, 1)


def pairs(seed=0):
    """Tokens of three words, of which the pairs take the first to a fourth one and leave the others."""
    concept, gone, *others = words(seed)
    positive = near(torch.stack([concept, *others]), seed)
    negative = positive.clone()
    negative[::3] += gone - concept
    return positive, negative, concept, gone, others


def mapped(positive, negative):
    return local_map(positive, negative, principal_rows(positive, negative), fold_numbers(len(positive)))


def moved(x, positive, negative, **how):
    rows = principal_rows(positive, negative)
    return x - local_map(positive, negative, rows, fold_numbers(len(positive)), **how)(x) @ rows


@given(st.integers(0, 200))
@settings(max_examples=10)
def test_words_of_the_pairs_go_where_the_pairs_take_them(seed):
    positive, negative, concept, gone, others = pairs(seed)
    fresh = near(torch.stack([concept, *others]), seed + 1000)
    wanted = fresh.clone()
    wanted[::3] += gone - concept
    made = moved(fresh, positive, negative)
    before, left = (fresh - wanted)[::3].norm(dim=1), (made - wanted)[::3].norm(dim=1)
    assert (before > 10).all()
    assert (left < 0.35 * before).all()  # ridge and new noise leave some; a map that does nothing leaves all
    assert ((made - wanted)[1::3].norm(dim=1) < 0.1 * before.mean()).all()


def test_far_from_all_words_a_token_goes_where_the_affine_map_moves_it():
    positive, negative, concept, *_ = pairs()
    rows = principal_rows(positive, negative)
    unknown = 0.7 * concept + 3 * words(99)[0]
    how = {"ridge": kernel.TREND_RIDGE, "staying": kernel.TREND_STAYING}
    linear = (unknown - negative.mean(0)) @ affine_readout(positive, negative, rows, **how).T @ rows
    assert linear.norm() > 5
    torch.testing.assert_close(moved(unknown, positive, negative), unknown - linear)


@given(st.integers(0, 200))
@settings(max_examples=10)
def test_a_concept_goes_behind_a_word_that_no_pair_holds(seed):
    """A causal encoder moves every token that comes after a word, and so far away from what the pairs show."""
    positive, negative, concept, gone, others = pairs(seed)
    across = torch.linalg.qr(torch.stack([concept, gone, *others]).mT).Q
    word = 30 * torch.nn.functional.normalize(words(seed + 500)[0] @ (torch.eye(WIDTH) - across @ across.mT), dim=0)
    fresh = near(torch.stack([concept, *others]), seed + 1000) + word
    rows, made = principal_rows(positive, negative), mapped(positive, negative)
    assert (kernel.kernel(fresh, made.centres, made.bandwidth) < 1e-6).all()  # nothing that the pairs show is near
    steps = -made(fresh) @ rows
    wanted = gone - concept
    assert (steps[::3] - wanted).norm(dim=1).mean() < 0.35 * wanted.norm()  # the ridge is cautious
    assert (steps[1::3].norm(dim=1) < 0.35 * wanted.norm()).all()


def test_what_is_to_be_kept_stays():
    positive, negative, concept, *_ = pairs()
    close = near(concept[None] + 0.4, 7)
    free, kept = (moved(close, positive, negative, kept=k) - close for k in (None, close))
    assert kept.norm() < 0.8 * free.norm()


def test_one_direction_is_found_where_pairs_differ_along_one():
    positive, negative, concept, gone, _ = pairs()
    rows = principal_rows(positive, negative)
    torch.testing.assert_close(rows, torch.nn.functional.normalize(concept - gone, dim=0)[None])
    with pytest.raises(SteeringError, match="rank 2 does not fit direction 'kernel'"):
        principal_rows(positive, negative, 2)


def test_centres_are_tokens_that_the_others_do_not_explain():
    places = words(3)
    tokens = near(places, 3) * 1.0
    found = pivots(tokens, torch.tensor([20.0], dtype=torch.float64))
    assert sorted((found % 4)[:4].tolist()) == [0, 1, 2, 3]  # one of each word first
    assert len(found) < 30
    twice = torch.cat([tokens, tokens])
    assert torch.equal(pivots(twice, torch.tensor([20.0], dtype=torch.float64)), found)


def test_the_width_is_narrow_where_pairs_repeat_words_and_wide_where_they_say_little_each():
    positive, negative, *_ = pairs()
    narrow = mapped(positive, negative).bandwidth
    generator = torch.Generator().manual_seed(1)
    spread = 6 * torch.randn(len(positive), WIDTH, generator=generator, dtype=torch.float64)
    spread[:, 4:] = 0
    shift = spread.square() / 6  # smooth, and nothing linear
    wide = mapped(spread, spread + shift).bandwidth
    typical = [torch.cdist(tokens, tokens).median() for tokens in (positive, spread)]
    assert wide / typical[1] > 3 * narrow / typical[0]


def test_tokens_that_are_all_padding_but_a_few_make_a_map():
    positive, negative, *_ = pairs()
    positive, negative = (torch.cat([side, side[1:2].expand(4 * len(side), -1)]) for side in (positive, negative))
    made = mapped(positive, negative)
    assert made.bandwidth > 0
    assert torch.isfinite(made(positive)).all()


@pytest.mark.parametrize("padding", range(12))
def test_distances_of_equal_tokens_play_no_part_in_the_width(padding):
    """Where distances are made of products, those of equal tokens are rounding, for some tokens, and not 0."""
    positive, noise = torch.randn(2, 400, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    negative = positive + 1 + 0.1 * noise
    alone = mapped(positive, negative).bandwidth
    positive[torch.arange(400) % 4 > 0] = positive[padding].clone()
    made = mapped(positive, negative)
    assert alone / 2 < made.bandwidth < 2 * alone  # other distances, of the same kind; rounding is far below


def test_no_more_than_half_of_the_channels_are_rows():
    generator = torch.Generator().manual_seed(2)
    positive, negative = torch.randn(2, 100, WIDTH, generator=generator, dtype=torch.float64)
    assert len(principal_rows(positive, negative)) == WIDTH // 2


def test_too_few_tokens_to_hold_any_out_make_a_map():
    positive, negative, *_ = pairs()
    rows = principal_rows(positive[:3], negative[:3])
    assert torch.isfinite(local_map(positive[:3], negative[:3], rows, fold_numbers(3))(positive)).all()


@pytest.fixture
def vector():
    positive, negative, *_ = pairs()
    rows = torch.stack([positive, negative])[:, :, None].float()
    captured = Activations({TEXT: rows}, torch.tensor([1.0]), {"concept": "dog", "tokens": 3})
    return build(captured, select_by="text", direction="kernel", time="constant")


def test_a_vector_holds_the_map_and_its_file_as_well(vector, tmp_path):
    positive, negative, *_ = pairs()
    x = positive[None, :9].float()
    rows = vector.entry(preset="conditional").rows(TEXT, 1.0)
    found = suppress(x, rows, get_preset("conditional").settings)
    by_hand = moved(x.double(), positive.float().double(), negative.float().double()).float()
    assert (by_hand - x).norm() > 10
    torch.testing.assert_close(found, by_hand, atol=2e-3, rtol=1e-3)  # float32 of an exponential of large squares
    vector.save(tmp_path / "x.safetensors")
    again = SteeringVector.load(tmp_path / "x.safetensors")
    assert again.digest() == vector.digest()
    # The same numbers at other places in memory may be summed in another order.
    torch.testing.assert_close(again.sites[TEXT].local(x), vector.sites[TEXT].local(x))


def test_it_knows_one_way_only_and_no_lora_holds_it(vector):
    assert scale(vector, 2.0).sites[TEXT].local is not None
    with pytest.raises(SteeringError, match="knows one way"):
        combine([vector], "add", [-1.0])
    assert any("not linear" in sentence for sentence in obstacles(vector.entry(preset="lora")))


def test_it_is_of_the_text_alone():
    tensor = torch.randn(2, 12, 1, WIDTH)
    captured = Activations({Site.parse("in1.attn2"): tensor}, torch.tensor([1.0]))
    with pytest.raises(SteeringError, match="capture sites 'text'"):
        build(captured, direction="kernel")


def test_all_readers_of_a_text_share_one_edit(toy_model, monkeypatch):
    from steering.activations.capture import capture
    from steering.concepts.pairs import Pair

    some = [Pair(f"a dog {where}", f"a cat {where}") for where in ("on the beach", "in a room", "at night")]
    made = build(capture(toy_model, some, sites="text"), select_by="text", direction="kernel", time="constant")
    plain = toy_model.generate("a dog in a room", seed=3, steps=2, size=64)
    called = []
    inner = kernel.LocalMap.__call__
    monkeypatch.setattr(kernel.LocalMap, "__call__", lambda self, x: called.append(1) or inner(self, x))
    with steer(toy_model, made, preset="conditional"):
        drawn = toy_model.generate("a dog in a room", seed=3, steps=2, size=64)
    assert (drawn != plain).any()
    assert len(called) == 1  # and not one for each step, or for each of the 32 layers that read it


@pytest.mark.parametrize("preset", ["projection", "casteer", "selective"])
def test_settings_that_a_local_map_cannot_follow_are_refused(vector, preset):
    with pytest.raises(SteeringError, match="mean nothing to it; take preset conditional, affine, lora or precise"):
        vector.entry(preset=preset)
    for other in ("conditional", "affine", "lora", "precise"):
        assert vector.entry(preset=other).vector is vector


def test_two_local_maps_are_applied_one_after_the_other_and_never_summed(vector):
    with pytest.raises(SteeringError, match="apply them one after the other"):
        combine([vector, vector], "average")


def test_what_is_protected_stays_where_it_is():
    positive, negative, *_ = pairs()
    other = positive.clone()  # another word, near the concept's
    other[::3] += torch.randn(WIDTH, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    sides = ((positive, negative), (other, negative))
    concept, protected = (
        Activations({TEXT: torch.stack(side)[:, :, None].float()}, torch.tensor([1.0]), {"tokens": 3}) for side in sides
    )
    plain, kept = (
        build(concept, select_by="text", direction="kernel", time="constant", protect=some)
        for some in ([], [protected])
    )
    for tokens, share in ((other, 0.0), (positive, 1.0)):
        moved_by = [made.sites[TEXT].local(tokens[::3].float()).norm() for made in (plain, kept)]
        assert moved_by[0] > 200
        # The map is a compromise of what is to go and what is to stay beside it: a twentieth either way.
        assert moved_by[1] / moved_by[0] == pytest.approx(share, abs=0.05)


def test_nothing_takes_a_concept_s_place_where_its_own_map_says_what_does(vector):
    with pytest.raises(SteeringError, match="nothing else can take the concept's place; build it from pairs that say"):
        vector.entry(mode="replace", target=vector, preset="affine")


def test_a_vector_of_the_text_and_of_blocks_has_a_preset_that_all_of_it_can_follow(vector):
    site = Site.parse("in1.attn2")
    block = build(Activations({site: torch.randn(2, 12, 1, WIDTH)}, torch.tensor([1.0])), top_k=1)
    both = combine([block, vector], "add")
    assert set(both.sites) == {site, TEXT}
    assert both.entry().settings == get_preset("precise").settings
    assert vector.entry().settings == get_preset("conditional").settings
