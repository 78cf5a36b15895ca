import numpy as np
import pytest
import torch

from steering.concepts.prompts import Concept, Prompt
from steering.evaluate.metrics import Batch
from steering.evaluate.perceptual import SKETCH, Lpips, sketch

lpips = pytest.importorskip("lpips")
torchvision = pytest.importorskip("torchvision")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """AlexNet's random weights under torchvision's names."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("lpips") / "alexnet.pth"
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), path)
    return path


def measured(metric, first, second):
    prompts = [Prompt("target", "x")] * len(first)
    return metric.measure(Batch(first, second, prompts, Concept("dog", "a dog")))


def distance(metric, first, second):
    return measured(metric, first, second)["lpips"]


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


def test_pictures_can_be_compared_later_with_any_other(weights):
    """The features that are kept are as far from one another as LPIPS says, to within a few percent of it."""
    one, other, third = np.random.default_rng(2).integers(0, 255, (3, 4, 64, 64, 3), dtype=np.uint8)
    metric = Lpips(weights)
    kept = [measured(metric, x, third)["lpips_features"] for x in (one, other)]
    expected = distance(metric, one, other)
    assert kept[0].shape == (4, SKETCH)
    # Four standard errors of (2 / SKETCH)^½.
    np.testing.assert_allclose(((kept[0] - kept[1]) ** 2).sum(1), expected, rtol=4 * (2 / SKETCH) ** 0.5)


def test_a_sketch_errs_by_chance_and_no_more_than_it_says():
    features = torch.randn(200, 50_000, generator=torch.Generator().manual_seed(3))
    ratio = sketch(features).square().sum(1) / features.square().sum(1)
    assert abs(float(ratio.mean()) - 1) < 0.01  # three standard errors of the mean are .005; its buckets are shared
    assert float(ratio.std()) == pytest.approx((2 / SKETCH) ** 0.5, rel=0.25)  # of 200 draws: 5 % a standard error


def test_files_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="alexnet-owt"):
        Lpips(tmp_path / "none.pth")
    torch.save({"x": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match="AlexNet"):
        Lpips(tmp_path / "x.pth")
