import numpy as np
import pytest
import torch

from steering.pocket import train
from steering.pocket.scenes import BACKGROUNDS, OBJECTS
from steering.schedule import NoiseSchedule


def test_the_schedule_is_stable_diffusions():
    alphas = train.alphas_cumulative()
    expected = NoiseSchedule.scaled_linear().sigmas
    # float32 of a product of a thousand factors
    torch.testing.assert_close(((1 - alphas) / alphas).sqrt().double(), expected, rtol=1e-4, atol=0)


def test_the_learning_rate_warms_up_stays_and_falls_to_zero():
    rates = [train.learning_rate(done, 100_000) for done in (0, 3200, 69_000, 85_000, 100_000)]
    assert rates == pytest.approx([1e-5, 1e-3, 1e-3, 5e-4, 0])


def test_every_word_of_every_caption_has_a_trained_embedding():
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(train.TOKENIZER)
    seen = set(train.seen_tokens(tokenizer))
    for index in range(300):
        _, text, _ = train.scenes.training_example(0, index)
        assert set(tokenizer(text).input_ids) <= seen
    assert len(seen) < 150
    assert all(
        set(tokenizer(f"{name} {place}").input_ids) <= seen for name in OBJECTS for place in BACKGROUNDS.values()
    )


@pytest.mark.slow
def test_training_resumes_exactly_and_exports_a_loadable_folder(tmp_path):
    whole = train.Trainer(tmp_path / "a", 0, "cpu")
    whole.folder.mkdir()
    losses = [whole.step(10_000) for _ in range(4)]
    half = train.Trainer(tmp_path / "b", 0, "cpu")
    half.folder.mkdir()
    first = [half.step(10_000) for _ in range(2)]
    half.save()
    resumed = train.Trainer(tmp_path / "b", 0, "cpu")
    resumed.resume()
    # Same numbers in the same order; threads may sum them differently.
    np.testing.assert_allclose(first + [resumed.step(10_000) for _ in range(2)], losses, rtol=1e-4)
    resumed.export(tmp_path / "weights")
    from steering.models.loading import _load_folder

    model = _load_folder(tmp_path / "weights", "x", torch.device("cpu"), torch.float32)
    assert model.generate("a dog", steps=1).shape == (1, 128, 128, 3)
