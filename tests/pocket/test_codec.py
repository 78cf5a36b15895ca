import pytest
import torch

from steering.pocket.codec import CHANNELS, fit_codec
from steering.pocket.scenes import training_example
from steering.pocket.tensors import to_tensor


@pytest.fixture(scope="module")
def codec():
    return fit_codec(to_tensor([training_example(1, i)[0] for i in range(120)]))


def test_rows_are_orthonormal_and_latents_have_unit_variance(codec):
    torch.testing.assert_close(codec.basis @ codec.basis.T, torch.eye(CHANNELS), atol=1e-6, rtol=0)
    latents = codec.encode(to_tensor([training_example(1, i)[0] for i in range(120)]))
    assert latents.square().mean() == pytest.approx(1, abs=0.02)  # the pictures it was fitted on


def test_encode_after_decode_is_the_identity_on_latents(codec):
    latents = 0.1 * torch.randn(2, CHANNELS, 4, 4) + codec.encode(torch.full((2, 3, 32, 32), 0.5))
    torch.testing.assert_close(codec.encode(codec.decode(latents)), latents, atol=1e-4, rtol=0)  # nothing was clipped


def test_new_scenes_come_back_within_28_decibel(codec):
    pictures = to_tensor([training_example(2, i)[0] for i in range(60)])
    error = (codec.decode(codec.encode(pictures)) - pictures).square().mean()
    assert -10 * torch.log10(error) > 28


def test_wrong_shapes_are_refused(codec):
    with pytest.raises(ValueError, match="multiples of 8"):
        codec.encode(torch.zeros(1, 3, 30, 32))
    with pytest.raises(ValueError, match="24 channels"):
        codec.decode(torch.zeros(1, 4, 4, 4))
