import json

import numpy as np
import torch
from safetensors.torch import load_file

from steering.pocket import latents, train_vae
from steering.pocket.architecture import new_vae


class OneFile:
    """A series whose only file is there."""

    def __init__(self, part):
        self.parts = [part]

    def new(self, least=0):
        """The file, once."""
        found, self.parts = self.parts, []
        return found


def test_a_crop_is_the_same_square_of_every_picture():
    images = torch.arange(2 * 3 * 128 * 128).reshape(2, 3, 128, 128)
    cut = train_vae.crop(images, 64, np.random.default_rng(0))
    assert cut.shape == (2, 3, 64, 64)
    assert (cut.diff(dim=3) == 1).all()
    assert (cut.diff(dim=2) == 128).all()
    assert (cut[1] - cut[0] == 3 * 128 * 128).all()
    assert torch.equal(train_vae.crop(images, 128, np.random.default_rng(0)), images)


def test_a_moment_of_training_learns(monkeypatch):
    torch.manual_seed(0)
    vae, pictures = new_vae(), torch.from_numpy(latents.examples(0, 4)["pictures"])
    before, squared = train_vae.loss_of(vae, latents.to_images(pictures, "cpu"))
    shares = iter([0.02, 0.02, 0.02, 0.02, 0.9, 1.0])
    monkeypatch.setattr(train_vae.Clock, "share", property(lambda self: next(shares)))
    train_vae.train(vae, OneFile({"pictures": pictures}), 1, 2, 0, "cpu")
    after, _ = train_vae.loss_of(vae, latents.to_images(pictures, "cpu"))
    assert after < before
    assert not squared.requires_grad


def test_a_saved_vae_comes_back(tmp_path):
    torch.manual_seed(0)
    vae, images = new_vae(), torch.rand(2, 3, 64, 64) * 2 - 1
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
    images = latents.to_images(torch.from_numpy(train_vae.draw(1, 0, 8)), "cpu")
    with torch.no_grad():
        assert abs(float((factor * vae.encode(images).latent_dist.mean).std()) - 1) < 1e-3
