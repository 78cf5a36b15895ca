import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from steering.concepts.prompts import Concept, Prompt
from steering.evaluate.inception import SIDE, Inception, clean_resize
from steering.evaluate.metrics import Batch

module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The architecture's own random weights, as a file."""

    class Untrained(module.FeatureExtractorInceptionV3):
        def load_state_dict(self, *_args, **_kwargs):
            pass

    path = tmp_path_factory.mktemp("inception") / "w.pth"
    torch.save({}, path)
    torch.manual_seed(0)
    torch.save(Untrained("i", ["2048"], str(path)).state_dict(), path)
    return path


def batch(images):
    return Batch(images, images, [Prompt("target", "x")] * len(images), Concept("dog", "a dog"))


def test_at_its_own_size_it_is_torch_fidelitys_network(weights):
    images = np.random.default_rng(0).integers(0, 255, (2, SIDE, SIDE, 3), dtype=np.uint8)
    theirs = module.FeatureExtractorInceptionV3("i", ["2048"], str(weights))
    expected = theirs(torch.from_numpy(images).permute(0, 3, 1, 2))[0]
    features = Inception(weights).measure(batch(images))["inception_features"]
    assert features.shape == (2, 2048)
    torch.testing.assert_close(torch.from_numpy(features), expected)
    assert np.abs(features[0] - features[1]).max() > 0


def test_resizing_is_bicubic_with_antialiasing_and_not_quantised():
    image = np.random.default_rng(0).integers(0, 255, (400, 360), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    ours = clean_resize(torch.from_numpy(np.repeat(image[None, :, :, None], 3, 3)))[0, 0] * 128 + 128
    # Pillow sums in another order: 0.01 of 255 grey levels.
    np.testing.assert_allclose(ours.numpy(), expected.clip(0, 255), atol=0.01)


def test_files_that_do_not_fit_are_refused(weights, tmp_path):
    with pytest.raises(FileNotFoundError, match="weights-inception-2015-12-05"):
        Inception(tmp_path / "none.pth")
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="does not fit"):
        Inception(tmp_path / "x.safetensors")
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(tmp_path / "s.pt"))
    with pytest.raises(ValueError, match="plain state dict"):
        Inception(tmp_path / "s.pt")


def test_no_pickled_code_is_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "run"), "w"))

    torch.save({"x": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="plain state dict"):
        Inception(tmp_path / "evil.pth")
    assert not (tmp_path / "run").exists()
