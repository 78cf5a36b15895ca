import numpy as np
import torch
from PIL import Image

from steering.interventions.observation import Observation
from steering.plots.figures import by_kind, cosine_matrix, heat_map, observed_figure
from steering.plots.pictures import as_array, gallery
from steering.scores.navigator import Scores, SiteScores
from steering.sites import SD15_SITES


def test_every_picture_is_written_whole_and_is_not_blank(tmp_path):
    values = {site: SiteScores(*(torch.rand(4) for _ in range(3))) for site in SD15_SITES}
    scores = Scores("paper", torch.tensor([9.0, 3, 1, 0.1]), values, {s: torch.ones(4) > 0 for s in SD15_SITES})
    heat_map(scores, tmp_path / "a.png")
    by_kind(scores, tmp_path / "b.png")
    pictures = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 3), dtype=np.uint8)
    gallery([("original", pictures), ("steered", pictures)], tmp_path / "d.png", ["a", "b"], scale=2)
    for name in "abd":
        with Image.open(tmp_path / f"{name}.png") as image:
            assert np.asarray(image.convert("L")).std() > 5
    assert len(list(tmp_path.iterdir())) == 3


def test_what_a_run_did_is_drawn_also_where_it_did_nothing():
    seen = [Observation(0, site, sigma, 1.0, 0.2, 0.5) for site in SD15_SITES[:3] for sigma in (5.0, 1.0)]
    drawn, empty = as_array(observed_figure(seen)), as_array(observed_figure([]))
    for picture in (drawn, empty):
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        assert picture.std() > 5


def test_a_cosine_matrix_shows_its_numbers_and_gaps(tmp_path):
    matrix = np.array([[1, 0.5, np.nan], [0.5, 1, -0.9], [np.nan, -0.9, 1]])
    cosine_matrix(["dog", "cat", "other"], matrix, tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as image:
        assert np.asarray(image.convert("L")).std() > 5
