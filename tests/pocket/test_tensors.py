import numpy as np
import torch

from steering.pocket.tensors import to_tensor


def test_pictures_become_channels_first_between_0_and_1():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    made = to_tensor(pictures)
    assert (made.shape, made.dtype) == ((2, 3, 4, 6), torch.float32)
    assert torch.equal((made * 255).round().permute(0, 2, 3, 1).byte(), torch.from_numpy(pictures))
    assert torch.equal(to_tensor(list(pictures)), made)
