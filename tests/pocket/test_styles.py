import numpy as np
import pytest

from steering.pocket.backgrounds import paint
from steering.pocket.styles import STYLES


def high(picture):
    """How much neighbouring pixels differ."""
    return np.abs(np.diff(np.clip(picture, 0, 255), axis=1)).mean()


@pytest.mark.parametrize("name", STYLES)
def test_a_style_changes_the_picture_and_keeps_its_layout(name):
    plain = paint("beach", np.random.default_rng(0))
    painted = STYLES[name](plain, np.random.default_rng(1))
    assert painted.shape == plain.shape
    assert np.abs(painted - plain).mean() > 10
    rows = [np.clip(p, 0, 255).mean((1, 2))[16:-16] for p in (plain, painted)]
    assert np.corrcoef(*rows)[0, 1] > 0.5  # sky above sand still


def test_strokes_are_van_gogh_s_alone_and_a_sketch_is_grey():
    plain = paint("beach", np.random.default_rng(0))
    made = {name: paint_it(plain, np.random.default_rng(1)) for name, paint_it in STYLES.items()}
    assert high(made["van_gogh"]) > 2 * max(high(made["sketch"]), high(made["watercolour"]), high(plain))
    assert np.ptp(made["sketch"], axis=-1).mean() < 0.4 * np.ptp(made["watercolour"], axis=-1).mean()
    assert made["watercolour"][:3].mean() > 240  # a white rim
