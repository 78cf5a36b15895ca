import numpy as np

from steering.plots.pictures import labelled_grid


def test_a_grid_keeps_every_picture_as_it_is():
    pictures = list(np.random.default_rng(0).integers(0, 255, (5, 32, 48, 3), dtype=np.uint8))
    grid = labelled_grid(pictures, [f"strength {i}" for i in range(5)], 2)
    windows = np.lib.stride_tricks.sliding_window_view(grid, (32, 48, 3))[:, :, 0]
    for picture in pictures:
        assert (windows == picture).all((2, 3, 4)).sum() == 1


def test_notes_stand_under_the_pictures_and_touch_none():
    pictures = list(np.random.default_rng(0).integers(0, 255, (2, 32, 48, 3), dtype=np.uint8))
    bare, noted = (labelled_grid(pictures, ["a", "b"], 2, notes) for notes in ([], ["presence 3\ndrift 4", "x"]))
    assert noted.shape[0] > bare.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(noted, (32, 48, 3))[:, :, 0]
    assert all((windows == picture).all((2, 3, 4)).sum() == 1 for picture in pictures)
    assert (noted[bare.shape[0] - 4 :] < 128).any()
