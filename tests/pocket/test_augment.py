import numpy as np

from steering.pocket.augment import soften, swap_tiles, wreck
from steering.pocket.scenes import training_example

PICTURE = training_example(0, 0)[0]


def test_swapping_tiles_keeps_every_pixel_somewhere():
    swapped = swap_tiles(PICTURE, 1.0, np.random.default_rng(0))
    assert not np.array_equal(swapped, PICTURE)
    assert np.array_equal(np.sort(swapped.reshape(-1, 3), 0), np.sort(PICTURE.reshape(-1, 3), 0))


def test_a_wreck_is_much_further_away_than_mild_damage():
    def distance(damage):
        return np.mean(
            [np.abs(damage(PICTURE, np.random.default_rng(i)).astype(int) - PICTURE).mean() for i in range(40)]
        )

    assert 0 < distance(soften) * 2 < distance(wreck)
