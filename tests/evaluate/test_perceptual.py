import numpy as np
import pytest
import torch

from steering.concepts.prompts import Concept, Prompt
from steering.evaluate.metrics import Batch
from steering.evaluate.perceptual import Lpips

lpips = pytest.importorskip("lpips")
torchvision = pytest.importorskip("torchvision")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """AlexNet's random weights under torchvision's names."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("lpips") / "alexnet.pth"
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), path)
    return path


def distance(metric, first, second):
    prompts = [Prompt("target", "x")] * len(first)
    return metric.measure(Batch(first, second, prompts, Concept("dog", "a dog")))["lpips"]


def test_the_same_picture_is_at_distance_zero_and_more_noise_is_farther(weights):
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 190, (1, 64, 64, 3)).astype(np.uint8)
    noise = rng.normal(size=picture.shape)
    little, much = (np.clip(picture + scale * noise, 0, 255).astype(np.uint8) for scale in (5, 40))
    metric = Lpips(weights)
    assert distance(metric, picture, picture) == 0
    assert 0 < distance(metric, little, picture)[0] < distance(metric, much, picture)[0]


def test_it_is_the_packages_distance_with_the_files_backbone(weights):
    pictures = np.random.default_rng(1).integers(0, 255, (2, 2, 64, 64, 3), dtype=np.uint8)
    metric, plain = Lpips(weights), lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    backbone = torchvision.models.alexnet(weights=None)
    backbone.load_state_dict(torch.load(weights, weights_only=True))
    for part in ("slice1", "slice2", "slice3", "slice4", "slice5"):
        for name, layer in getattr(plain.net, part).named_children():
            if isinstance(layer, torch.nn.Conv2d):
                layer.load_state_dict(backbone.features[int(name)].state_dict())
    first, second = (torch.from_numpy(x).permute(0, 3, 1, 2) / 127.5 - 1 for x in pictures)
    expected = plain.eval()(first, second).flatten()
    torch.testing.assert_close(torch.from_numpy(distance(metric, *pictures)), expected)


def test_files_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="alexnet-owt"):
        Lpips(tmp_path / "none.pth")
    torch.save({"x": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match="AlexNet"):
        Lpips(tmp_path / "x.pth")
