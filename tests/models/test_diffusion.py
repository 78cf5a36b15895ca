import numpy as np
import pytest
import torch

from steering.models.conditioning import Conditioning
from steering.models.loading import load_model


def test_a_picture_depends_on_its_seed_and_not_on_its_batch(toy_model):
    prompts = ["a dog", "a cat", "a bird"]
    together = toy_model.generate(prompts, seed=7, steps=2, batch=3)
    apart = toy_model.generate(prompts, seed=7, steps=2, batch=1)
    # Another batch size sums in another order: one grey level of 255.
    assert np.abs(together.astype(int) - apart).max() <= 1
    assert not np.array_equal(together, toy_model.generate(prompts, seed=8, steps=2, batch=3))
    assert np.array_equal(
        toy_model.generate(prompts[1:], seed=[8, 9], steps=2), toy_model.generate(prompts[1:], seed=8, steps=2)
    )


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_every_prediction_type_recovers_the_clean_latents(toy_model, prediction):
    """The right output for each type, fed through the formula, gives back x0."""
    from dataclasses import replace

    clean, noise, sigma = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8), 1.7
    alpha = 1 / (1 + sigma**2)
    outputs = {"epsilon": noise, "sample": clean, "v_prediction": alpha**0.5 * noise - (1 - alpha) ** 0.5 * clean}

    class Oracle(torch.nn.Linear):
        def forward(self, *args, **kwargs):
            return (outputs[prediction],)

    model = replace(toy_model, unet=Oracle(1, 1), prediction=prediction)
    recovered = model.predict_clean(clean + sigma * noise, sigma, Conditioning(torch.zeros(1)))
    torch.testing.assert_close(recovered, clean, atol=1e-5, rtol=0)  # float32 rounding at sigma 1.7


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("nowhere", FileNotFoundError),
        ("x.safetensors", FileNotFoundError),
        ("x.ckpt", ValueError),
        ("/no/folder", FileNotFoundError),
    ],
)
def test_unknown_models_are_refused_with_a_sentence(name, error):
    with pytest.raises(error, match=r"model|checkpoint|pickled"):
        load_model(name)


def test_bad_devices_sizes_and_seeds_are_refused(toy_model):
    with pytest.raises(ValueError, match="auto, cpu, cuda"):
        load_model("pocket", device="potato")
    with pytest.raises(ValueError, match="multiples of 8"):
        toy_model.generate("a dog", size=100)
    with pytest.raises(ValueError, match="as many seeds"):
        toy_model.generate(["a dog"], seed=[1, 2])
    with pytest.raises(ValueError, match="seed 18446744073709551616 must lie"):
        toy_model.generate(["a dog", "a cat"], seed=2**64 - 1)


def test_a_seed_of_numpy_is_a_seed(toy_model):
    how = {"steps": 1, "size": 64}
    plain, theirs = (toy_model.generate(["a dog", "a cat"], seed=seed, **how) for seed in (4, np.int64(4)))
    np.testing.assert_array_equal(plain, theirs)
