import json

import numpy as np
import torch
from safetensors.torch import load_file

from steering.pocket import train_vae
from steering.pocket.architecture import new_vae


def test_crops_are_squares_of_their_pictures():
    pictures = np.arange(2 * 128 * 128 * 3, dtype=np.int64).reshape(2, 128, 128, 3)
    cut = train_vae.crops(pictures, 64, np.random.default_rng(0))
    assert cut.shape == (2, 64, 64, 3)
    assert (np.diff(cut, axis=2) == 3).all()
    assert (np.diff(cut, axis=1) == 3 * 128).all()
    assert np.array_equal(train_vae.crops(pictures, 128, np.random.default_rng(0)), pictures)


def test_the_rate_rises_and_falls_to_zero():
    rates = [train_vae.learning_rate(share) for share in (0.001, 0.02, 0.5, 1.0)]
    assert rates[0] < rates[1] > rates[2] > rates[3] == 0


def test_a_step_learns_and_the_decoder_alone_leaves_the_latents(tmp_path):
    torch.manual_seed(0)
    vae, images = new_vae(), torch.rand(2, 3, 64, 64) * 2 - 1
    before, _ = train_vae.loss_of(vae, images)
    optimizer = torch.optim.AdamW(vae.parameters(), 1e-3)
    for _ in range(3):
        loss, squared = train_vae.loss_of(vae, images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after, _ = train_vae.loss_of(vae, images)
    assert after < before
    assert not squared.requires_grad
    train_vae.save(vae, tmp_path, scaling_factor=0.5)
    assert json.loads((tmp_path / "config.json").read_text())["scaling_factor"] == 0.5
    stored = load_file(tmp_path / "diffusion_pytorch_model.safetensors")
    again = new_vae()
    again.load_state_dict({name: value.float() for name, value in stored.items()})
    parts = [model.encode(images).latent_dist.mean for model in (vae, again)]
    torch.testing.assert_close(*parts, atol=5e-2, rtol=1e-2)  # float16 weights
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "diffusion_pytorch_model.safetensors"}


def test_latents_scaled_have_unit_deviation():
    torch.manual_seed(0)
    vae = new_vae()
    factor = train_vae.scaling_factor(vae, 0, count=8)
    images = train_vae.to_tensor(train_vae.draw(1, 0, 8)) * 2 - 1
    with torch.no_grad():
        assert abs(float((factor * vae.encode(images).latent_dist.mean).std()) - 1) < 1e-3
