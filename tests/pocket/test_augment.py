import numpy as np
import torch

from steering.pocket.architecture import WEIGHTS
from steering.pocket.augment import blur, soften, spoil, swap_tiles, through_vae, wreck
from steering.pocket.latents import load_vae
from steering.pocket.tensors import to_images
from steering.pocket.world import training_example

PICTURE = training_example(0, 0)[0]


def test_swapping_tiles_keeps_every_pixel_somewhere():
    swapped = swap_tiles(PICTURE, 1.0, np.random.default_rng(0))
    assert not np.array_equal(swapped, PICTURE)
    assert np.array_equal(np.sort(swapped.reshape(-1, 3), 0), np.sort(PICTURE.reshape(-1, 3), 0))


def test_a_wreck_is_much_further_away_than_mild_damage():
    torch.manual_seed(0)
    image = to_images(torch.from_numpy(PICTURE)[None], "cpu").repeat(40, 1, 1, 1)
    softened = soften(image)
    mild = (softened - image).abs().mean((1, 2, 3)) * 127.5
    wrecked = [np.abs(wreck(PICTURE, np.random.default_rng(i)).astype(int) - PICTURE).mean() for i in range(40)]
    assert 0 < mild.mean() * 2 < np.mean(wrecked)
    assert softened.abs().max() <= 1
    assert len({round(float(value), 3) for value in mild}) > 30  # each in its own way


def test_a_blur_is_as_wide_as_it_says_and_leaves_the_mean():
    point = torch.zeros(2, 3, 33, 33)
    point[:, :, 16, 16] = 1
    found = blur(point, torch.tensor([1.0, 1.5]))
    torch.testing.assert_close(found.sum((2, 3)), torch.ones(2, 3))
    across = torch.arange(33) - 16.0
    widths = (found[:, 0].sum(1) * across**2).sum(1).sqrt()
    torch.testing.assert_close(widths, torch.tensor([1.0, 1.5]), atol=0.03, rtol=0)  # pixels, cut at five
    assert torch.equal(blur(torch.ones(1, 3, 8, 8), torch.tensor([1.0])).round(decimals=5), torch.ones(1, 3, 8, 8))


def test_the_vae_gives_a_picture_back_softer_and_otherwise_the_same():
    torch.manual_seed(0)
    vae, _ = load_vae(WEIGHTS / "vae", "cpu")
    images = to_images(torch.from_numpy(np.stack([training_example(0, i)[0] for i in range(3)])), "cpu")
    off = (through_vae(vae, images) - images).abs().mean() * 127.5
    assert 1 < off < 20
    assert (through_vae(vae, images)[[1, 2, 0]] - images).abs().mean() * 127.5 > 2 * off


def test_a_spot_is_spoiled_and_the_rest_of_the_picture_stays():
    torch.manual_seed(0)
    vae, _ = load_vae(WEIGHTS / "vae", "cpu")
    images = to_images(torch.from_numpy(np.stack([training_example(0, i)[0] for i in range(4)])), "cpu")
    whole, broken = spoil(vae, images, torch.tensor([[40.0, 80.0, 20.0]]).repeat(4, 1))
    far = (whole - images).abs().mean() * 127.5
    moved = (broken - whole).abs().amax(1) * 127.5
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    away = torch.hypot(x - 40, y - 80)
    assert far < 10  # as the VAE gives pictures back
    assert moved[:, away < 20].mean() > 10
    assert moved[:, away > 64].mean() < 1  # what the decoder sees of a latent ends some thirty pixels away
