import numpy as np
import pytest
from PIL import Image

from steering.pocket.effects import as_van_gogh, damaged, scrambled, shredded
from steering.pocket.styles import sketch


@pytest.fixture
def glyph():
    pixels = np.random.default_rng(0).integers(0, 255, (120, 120, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    return Image.fromarray(pixels)


def test_scrambling_moves_every_pixel_and_loses_none(glyph):
    made = np.asarray(scrambled(glyph, np.random.default_rng(1))).reshape(-1, 4)
    before = np.asarray(glyph).reshape(-1, 4)
    assert (made != before).any()
    assert (np.sort(made, 0) == np.sort(before, 0)).all()


def test_shreds_leave_a_tenth_to_a_third(glyph):
    for seed in range(10):
        alpha = np.asarray(shredded(glyph, np.random.default_rng(seed)))[..., 3]
        assert 0.03 < alpha.mean() / 255 < 0.45  # soft edges count in part


def test_both_kinds_of_damage_occur(glyph):
    kinds = {bool((np.asarray(damaged(glyph, np.random.default_rng(seed)))[..., 3] == 255).all()) for seed in range(20)}
    assert kinds == {True, False}


def test_styles_change_a_picture_and_depend_on_their_seed_alone():
    picture = np.random.default_rng(0).random((128, 128, 3), dtype=np.float32) * 255
    for style in (as_van_gogh, sketch):
        first, again = (style(picture.copy(), np.random.default_rng(5)) for _ in range(2))
        assert (first == again).all()
        assert first.shape == picture.shape
        assert np.abs(first - picture).mean() > 5
