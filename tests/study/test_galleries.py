import numpy as np

from steering.study.galleries import thumbnail


def test_explicit_pictures_are_blurred_and_large_ones_made_small():
    picture = np.random.default_rng(0).integers(0, 255, (512, 384, 3), dtype=np.uint8)
    plain, blurred = thumbnail(picture, False), thumbnail(picture, True)
    assert plain.shape == blurred.shape == (256, 192, 3)
    # White noise averaged over a radius of 21 pixels keeps less than a tenth of its contrast.
    assert blurred.std() < plain.std() / 5
