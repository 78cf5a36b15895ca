from dataclasses import replace

import pytest
import torch

from steering.activations.capture import capture
from steering.concepts.pairs import Pair
from steering.errors import SteeringError
from steering.interventions.presets import EditSettings
from steering.interventions.steer import steer
from steering.models.recording import record
from steering.models.sampling import CaptureSettings
from steering.sites import SD15_SITES, Site
from steering.vectors.build import build
from steering.vectors.calibration import calibrate, captured_negatives, quantiles, with_thresholds

PAIRS = [Pair(f"a dog {where}", f"a cat {where}") for where in ("on the beach", "in a room", "at night")]


SETTINGS = CaptureSettings(steps=2, guidance=7.5, batch=2)


@pytest.fixture(scope="module")
def captured(toy_model):
    return capture(toy_model, PAIRS, settings=SETTINGS)


def test_calibrated_thresholds_let_one_token_in_twenty_through(captured, toy_model, hooks_left):
    vector = build(captured, select_by="in4.attn2", direction="mean")
    thresholds = calibrate(toy_model, vector, [pair.negative for pair in PAIRS], SETTINGS)
    calibrated = with_thresholds(vector, thresholds)
    with steer(toy_model, calibrated, strength=1.0, settings=EditSettings(gate="threshold")):
        toy_model.generate("a dog", steps=2)
    from steering.vectors.calibration import coordinates

    site = Site.parse("in4.attn2")
    shares = []
    with record({site: toy_model.sites()[site]}, coordinates(vector), lambda: toy_model.call.sigmas[0]) as now:

        def look(step):
            shares.append((now.take(slice(0, 3))[site] > thresholds[site][step]).float().mean())

        conditional = toy_model.encode([pair.negative for pair in PAIRS])
        toy_model.denoise(
            conditional,
            toy_model.encode([""]).expand(3),
            toy_model.noise([0, 1, 2], 64),
            2,
            7.5,
            after_call=look,
        )
    # 3 prompts of 16 tokens: a twentieth, to the nearest token.
    assert all(abs(float(share) - 0.05) <= 1 / 48 for share in shares)


def test_quantiles_are_over_all_tokens_of_a_step():
    values = torch.arange(200.0).reshape(2, 100, 1)
    result = quantiles({SD15_SITES[0]: [[values[:1], values[1:]], [values]]})
    assert result[SD15_SITES[0]].tolist() == [[189.0], [189.0]]


CAPTURED = {"negatives": ["a cat"], "steps": 3, "guidance": 4.0, "seed": 7, "size": 64}


def test_the_negatives_come_back_as_they_were_captured(toy_model):
    about = {**CAPTURED, "model": {"weights": toy_model.weights_hash(), "name": "toy"}}
    prompts, settings = captured_negatives(toy_model, about)
    assert prompts == ["a cat"]
    assert settings == CaptureSettings(steps=3, guidance=4.0, seed=7, size=64)


@pytest.mark.parametrize("missing", ["negatives", "model", "steps", "guidance", "seed", "size"])
def test_a_capture_that_does_not_say_how_it_was_made_gives_no_thresholds(toy_model, missing):
    about = {**CAPTURED, "model": {"weights": toy_model.weights_hash(), "name": "toy"}}
    del about[missing]
    with pytest.raises(SteeringError, match=rf"thresholds need {missing} of the capture, .* capture again"):
        captured_negatives(toy_model, about)


def test_a_capture_of_the_text_needs_no_thresholds(toy_model):
    about = {**CAPTURED, "tokens": 77, "model": {"weights": toy_model.weights_hash(), "name": "toy"}}
    with pytest.raises(SteeringError, match="a capture of the text, whose vectors need none; leave the model out"):
        captured_negatives(toy_model, about)


def test_thresholds_need_the_very_model_that_was_captured(toy_model):
    about = {**CAPTURED, "model": {"weights": "others", "name": "theirs"}}
    with pytest.raises(SteeringError, match=r"captured \(theirs\), and this is another; give that one"):
        captured_negatives(toy_model, about)


@pytest.mark.parametrize(
    "odd",
    [
        {"negatives": "a cat"},
        {"negatives": [1]},
        {"negatives": []},
        {"steps": "3"},
        {"steps": 3.5},
        {"seed": True},
        {"size": [64, "x"]},
        {"size": {}},
        {"guidance": "4"},
        {"guidance": 10**400},
    ],
)
def test_a_capture_that_says_nonsense_gives_no_thresholds(toy_model, odd):
    about = {**CAPTURED, "model": {"weights": toy_model.weights_hash(), "name": "toy"}, **odd}
    with pytest.raises(SteeringError, match=next(iter(odd))):
        captured_negatives(toy_model, about)


def test_each_prompt_is_drawn_from_its_own_seed_whatever_the_batches(captured, toy_model):
    vector, prompts = build(captured, select_by="in4.attn2"), [pair.negative for pair in PAIRS]
    rows = []
    few = calibrate(toy_model, vector, prompts, SETTINGS, rows.append)
    many = calibrate(toy_model, vector, prompts, replace(SETTINGS, batch=1))
    other = calibrate(toy_model, vector, prompts, replace(SETTINGS, seed=5))
    site = Site.parse("in4.attn2")
    # The rows of a batch share matrix products, whose order of summation moves float32 a little.
    torch.testing.assert_close(few[site], many[site], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(few[site], other[site], atol=1e-2)
    assert sum(rows) == len(PAIRS) * SETTINGS.steps * 2  # both halves of guidance


def test_thresholds_are_of_a_model_that_the_vector_fits(captured, toy_model):
    vector = build(captured, select_by="in4.attn2", direction="mean")
    negatives = [pair.negative for pair in PAIRS]
    other = replace(vector, metadata={"model": {"family": "sd15"}})
    with pytest.raises(SteeringError, match="the vector was made for sd15, and this model is pocket"):
        calibrate(toy_model, other, negatives, SETTINGS)
    with pytest.raises(SteeringError, match="gate thresholds need at least one prompt"):
        calibrate(toy_model, vector, [], SETTINGS)
