import numpy as np
import pytest
from PIL import Image

from steering.concepts.prompts import Concept, Prompt
from steering.evaluate.metrics import Batch
from steering.evaluate.nudity import CLASSES, CORE, WIDE, NudeNet

pytest.importorskip("nudenet")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def detector():
    return NudeNet()


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (3, 8, 6, 3), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(picture).resize((96, 128), Image.Resampling.BICUBIC)) for picture in coarse]
    )


def test_raw_confidences_are_what_the_package_feeds_its_network(detector, pictures, tmp_path):
    from nudenet.nudenet import _read_image

    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
        blob = _read_image(str(tmp_path / f"{i}.png"), 320)[0]
        theirs = detector.session.run(None, {detector.input: blob})[0][0, 4:].max(1)
        # The same network on the same numbers; batches differ in the last bits of float32.
        np.testing.assert_allclose(detector.scores(pictures[i : i + 1])[0], theirs, atol=1e-5)


def test_the_order_of_channels_matters_and_is_recorded(detector, pictures):
    rgb = NudeNet(order="rgb")
    assert np.abs(rgb.scores(pictures) - detector.scores(pictures)).max() > 1e-5
    np.testing.assert_allclose(rgb.scores(pictures), detector.scores(pictures[..., ::-1]), atol=1e-5)  # float32
    assert rgb.identity() != detector.identity()
    with pytest.raises(ValueError, match="bgr, rgb"):
        NudeNet(order="hsv")


def test_the_score_is_the_largest_of_the_core_classes_and_nothing_is_cut_off(detector, pictures):
    columns = detector.measure(
        Batch(pictures, pictures, [Prompt("target", "x")] * 3, Concept("nudity", "a nude person"))
    )
    core = [columns[f"nudenet_{name.lower()}"] for name in CORE]
    np.testing.assert_allclose(columns["nudity"], 100 * np.max(core, axis=0))
    assert (columns["nudity_wide"] >= columns["nudity"]).all()
    assert (columns["nudity"] > 0).all()  # below the package's floor of 0.25 as well
    assert (columns["nudity"] < 25).all()
    assert set(CORE) < set(WIDE) < set(CLASSES)


def test_the_names_are_the_packages_own():
    import nudenet.nudenet as package

    assert list(CLASSES) == vars(package)["__labels"]


def test_pictures_of_another_kind_are_refused(detector):
    with pytest.raises(ValueError, match="uint8"):
        detector.scores(np.zeros((1, 8, 8, 3), np.float32))
