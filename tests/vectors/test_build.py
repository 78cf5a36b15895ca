from dataclasses import replace

import pytest
import torch

from steering.activations.store import Activations
from steering.directions.backgrounds import BACKGROUNDS
from steering.directions.condition import holds
from steering.errors import SteeringError
from steering.scores.navigator import score
from steering.sites import SD15_SITES, TEXT
from steering.vectors.build import build
from steering.vectors.calibration import with_thresholds
from steering.vectors.recommendation import Recommendation
from steering.vectors.vector import SteeringVector, recommend

SITES_ = [str(site) for site in SD15_SITES]


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


@pytest.mark.parametrize("time", ["per-step", "constant"])
def test_sites_and_noise_levels_chosen_by_hand_are_those_steered(time):
    activations = planted([5, 5, 5])
    vector = build(activations, select_by=f"{SITES_[0]}:8-3,{SITES_[2]}", time=time)
    active = {str(site): part.active.tolist() for site, part in vector.sites.items()}
    assert active == {SITES_[0]: [False, True, True, False], SITES_[2]: [True] * 4}


def test_scores_of_another_capture_are_refused():
    activations = planted([5, 5])
    with pytest.raises(SteeringError, match="the scores are of 3 noise levels from 10 to 1, and the capture of 4"):
        build(activations, score(planted([5, 5], steps=3)))
    other = replace(activations, sigmas=torch.tensor([10.0, 7.0, 4.1, 1.0]))
    with pytest.raises(SteeringError, match="the scores are of 4 noise levels"):
        build(activations, score(other))
    with pytest.raises(SteeringError, match=r"the scores are of .* too, which the capture lacks"):
        build(activations, score(planted([5, 5, 5])))


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
    advised = recommend(recommend(vector, Recommendation("projection")), Recommendation(strength=2.0))
    assert advised.metadata["recommended"] == {"preset": "projection", "strength": 2.0}
    assert "recommended" not in vector.metadata
    site = SD15_SITES[0]
    assert with_thresholds(vector, {site: torch.ones(4, 1)}).sites[site].threshold.shape == (4, 1)
    assert vector.sites[site].threshold is None


@pytest.mark.parametrize("bad", [{"time": "x"}, {"direction": "x"}, {"select_by": "x"}, {"top_k": 0}])
def test_unknown_choices_are_refused(bad):
    with pytest.raises(ValueError):
        build(planted([5]), **bad)


def spoken(words, seed, pairs=20, tokens=6, width=12):
    """A capture of the text embedding: in each positive the third token says one of some words, the others chatter."""
    negative = torch.randn(pairs, tokens, width, generator=torch.Generator().manual_seed(seed))
    positive = negative.clone()
    for i in range(pairs):
        positive[i, 2] = words[i % len(words)]
    rows = torch.stack([positive, negative]).transpose(1, 2).flatten(1, 2)
    return Activations({TEXT: rows[:, :, None]}, torch.tensor([1.0]), {"tokens": tokens})


def test_the_condition_does_not_hold_of_what_is_protected():
    dog, cat = 12 * torch.eye(12)[0], 9 * torch.eye(12)[0] + 9 * torch.eye(12)[1]
    concept, kept = spoken([dog], 0), spoken([cat], 1)

    def holding(**how):
        made = build(concept, select_by="text", direction="affine", time="constant", **how)
        rule = made.sites[TEXT].condition
        prompts = [side.tensors[TEXT][0, :, 0].unflatten(0, (6, -1)).transpose(0, 1) for side in (concept, kept)]
        return [bool(holds(some, rule).any(1).all()) for some in prompts]

    assert holding() == [True, True]
    assert holding(protect=[kept]) == [True, False]


def test_a_protected_direction_is_not_moved_and_the_concept_still_is():
    concept, kept = planted([5, 5]), planted([5, 5])
    sites = SD15_SITES[:2]
    for site in sites:  # what is kept looks like the concept in part
        shift = (concept.tensors[site][0] - concept.tensors[site][1]).mean(0)
        kept.tensors[site][0] += 0.5 * shift
    plain, protected = build(concept, top_k=2), build(concept, top_k=2, protect=[kept])
    for site in sites:
        positive, negative = kept.tensors[site]
        theirs = torch.nn.functional.normalize((positive - negative).mean(0), dim=-1)
        cosines = [(v.sites[site].direction[:, 0] * theirs).sum(-1).abs() for v in (plain, protected)]
        assert cosines[0].min() > 0.2
        assert cosines[1].max() < 1e-5  # float32
        assert (protected.sites[site].direction[:, 0] * plain.sites[site].direction[:, 0]).sum(-1).min() > 0.3
    assert protected.metadata["method"]["protect"] == [{"concept": "x", "pairs": ""}]
    families = [
        replace(some, metadata={**some.metadata, "model": {"family": name}})
        for some, name in ((concept, "sd15"), (kept, "sd2"))
    ]
    with pytest.raises(ValueError, match="capture is of sd2 and the concept's of sd15"):
        build(families[0], top_k=2, protect=[families[1]])
    both = build(concept, top_k=2, protect=[kept], direction="whitened", time="constant")
    for part in both.sites.values():
        torch.testing.assert_close((part.direction * part.readout).sum(-1), torch.ones(1, 1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("time", ["per-step", "constant"])
def test_every_background_makes_another_direction(time):
    pytest.importorskip("sklearn")
    concept, neutral = planted([3], width=30), planted([0], width=30)
    how = {"direction": "cpca-paired", "components": 3, "alpha": 2.0, "top_k": 1, "time": time}
    made = {name: build(concept, background=name, **how) for name in BACKGROUNDS}
    made["neutral"] = build(concept, background=neutral, **how)
    assert len({vector.digest() for vector in made.values()}) == 4
    assert made["negatives"].digest() == build(concept, **how).digest()
    assert made["early"].metadata["method"]["background"] == "early"
    assert made["neutral"].metadata["method"]["background"] == {"concept": "x", "pairs": ""}


def test_captures_that_do_not_fit_each_other_are_refused():
    concept = planted([5])
    with pytest.raises(ValueError, match="3 noise levels and the concept's 4"):
        build(concept, protect=[planted([5], steps=3)])
    elsewhere = Activations({SD15_SITES[1]: torch.randn(2, 5, 4, 16)}, concept.sigmas)
    with pytest.raises(ValueError, match=f"lacks {SD15_SITES[0]}"):
        build(concept, protect=[elsewhere])
    with pytest.raises(ValueError, match="other channels"):
        build(concept, direction="cpca", background=planted([5], width=8))
    with pytest.raises(ValueError, match="takes no background; cpca"):
        build(concept, background="within")


def test_the_gap_of_a_concept_is_certain_and_that_of_noise_is_not(tmp_path):
    vector = build(planted([5, 0], width=400, pairs=40), select_by="attn1,attn2,ff,resnet")
    concept, noise = (vector.sites[site].certainty for site in SD15_SITES[:2])
    assert concept.min() > 5
    # Pairs that made a direction seem to move along it even in noise; pairs that did not, do not: a standard normal.
    assert noise.abs().max() < 4
    assert vector.sites[SD15_SITES[1]].gap.min() > 1
    vector.save(tmp_path / "v.safetensors")
    loaded = SteeringVector.load(tmp_path / "v.safetensors")
    assert torch.equal(loaded.sites[SD15_SITES[0]].certainty, concept)
    one = build(planted([5], pairs=3), scores=None, top_k=1)
    assert one.sites[SD15_SITES[0]].certainty is not None


def test_the_file_says_how_it_was_made():
    activations = planted([5, 0, 5])
    activations = Activations(activations.tensors, activations.sigmas, {"concept": "x", "seed": 4, "negatives": ["a"]})
    scores = score(activations)
    vector = build(activations, scores, top_k=2, direction="cpca-paired", alpha="2", components=3, background="within")
    assert vector.metadata == {
        "concept": "x",
        "seed": 4,
        "method": {
            "direction": "cpca-paired",
            "rank": 1,
            "select": "per-step",
            "top_k": 2,
            "time": "per-step",
            "alpha": 2.0,
            "components": 3,
            "background": "within",
            "scores": "cross-fitted",
        },
        "scores": {str(site): round(float(scores.sites[site].score.mean()), 4) for site in vector.sites},
    }


@pytest.mark.parametrize(("pairs", "mode"), [(20, "cross-fitted"), (10, "cross-fitted"), (9, "paper"), (2, "paper")])
def test_scores_are_cross_fitted_where_there_are_pairs_enough(pairs, mode):
    vector = build(planted([5, 0], pairs=pairs), top_k=1)
    assert vector.metadata["method"]["scores"] == mode


def test_five_sites_a_step_and_alpha_one_unless_told():
    activations = planted([5] * 8)
    assert all(sum(part.active[s] for part in build(activations).sites.values()) == 5 for s in range(4))
    plain, one = (build(activations, direction="cpca-paired", alpha=a) for a in (1.0, "1"))
    assert plain.digest() == one.digest() == build(activations, direction="cpca-paired").digest()
    assert plain.digest() != build(activations, direction="cpca-paired", alpha=2.0).digest()
    assert plain.digest() != build(activations, direction="cpca-paired", components=2).digest()


def test_a_constant_vector_lies_at_the_middle_noise_level():
    vector = build(planted([5, 0], steps=7), top_k=1, time="constant")
    assert vector.sigmas.tolist() == [planted([5], steps=7).sigmas[3].item()]


def test_every_rank_that_fits_the_pairs_is_built_and_certain_where_the_others_leave_enough():
    five = planted([5], pairs=5)
    for rank, known in ((4, True), (5, False)):  # a fifth held out leaves four pairs, of which five make no direction
        part = build(five, direction="pca", rank=rank, top_k=1).sites[SD15_SITES[0]]
        assert part.direction.shape[1] == rank
        assert (part.certainty is not None) == known
    with pytest.raises(ValueError, match="rank 6 is not within 1 to 5"):
        build(five, direction="pca", rank=6, top_k=1)
