import numpy as np
import pytest

from steering.pocket.backgrounds import PLACES, SIZE, paint


@pytest.mark.parametrize("name", PLACES)
def test_backgrounds_have_texture_and_vary(name):
    one, other = (paint(name, np.random.default_rng(seed)) for seed in (0, 1))
    assert one.shape == (SIZE, SIZE, 3)
    assert np.abs(one - other).mean() > 1
    rows = one - one.mean(1, keepdims=True)  # what is left of bands of one colour: nothing
    assert rows.std() > 2


def test_backgrounds_are_told_apart_by_their_colours():
    means = {
        name: np.mean([paint(name, np.random.default_rng(seed)).mean((0, 1)) for seed in range(8)], 0)
        for name in PLACES
    }
    apart = [np.abs(means[a] - means[b]).max() for a in means for b in means if a < b]
    assert min(apart) > 15
