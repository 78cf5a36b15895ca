import numpy as np
import torch
from PIL import Image

from steering.evaluate.plots import (
    as_array,
    by_kind,
    cosine_matrix,
    gallery,
    heat_map,
    labelled_grid,
    observed_figure,
    presence_by_k,
)
from steering.navigator import Scores, SiteScores
from steering.observation import Observation
from steering.sites import SD15_SITES


def test_every_picture_is_written_whole_and_is_not_blank(tmp_path):
    values = {site: SiteScores(*(torch.rand(4) for _ in range(3))) for site in SD15_SITES}
    scores = Scores("paper", torch.tensor([9.0, 3, 1, 0.1]), values, {s: torch.ones(4) > 0 for s in SD15_SITES})
    heat_map(scores, tmp_path / "a.png")
    by_kind(scores, tmp_path / "b.png")
    presence_by_k({"study": {1: 50.0, 3: 10.0}}, 90.0, tmp_path / "c.png")
    pictures = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 3), dtype=np.uint8)
    gallery([("original", pictures), ("steered", pictures)], tmp_path / "d.png", ["a", "b"], scale=2)
    for name in "abcd":
        with Image.open(tmp_path / f"{name}.png") as image:
            assert np.asarray(image.convert("L")).std() > 5
    assert len(list(tmp_path.iterdir())) == 4


def test_what_a_run_did_is_drawn_also_where_it_did_nothing():
    seen = [Observation(0, site, sigma, 1.0, 0.2, 0.5) for site in SD15_SITES[:3] for sigma in (5.0, 1.0)]
    drawn, empty = as_array(observed_figure(seen)), as_array(observed_figure([]))
    for picture in (drawn, empty):
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        assert picture.std() > 5


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


def test_a_cosine_matrix_shows_its_numbers_and_gaps(tmp_path):
    matrix = np.array([[1, 0.5, np.nan], [0.5, 1, -0.9], [np.nan, -0.9, 1]])
    cosine_matrix(["dog", "cat", "other"], matrix, tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as image:
        assert np.asarray(image.convert("L")).std() > 5
