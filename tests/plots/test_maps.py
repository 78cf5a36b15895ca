import numpy as np
import torch

from steering.plots.maps import map_figure
from steering.plots.pictures import as_array
from steering.sites import Site


def test_maps_are_painted_over_the_picture_in_red_and_blue():
    picture = np.full((64, 64, 3), 128, np.uint8)
    half = torch.full((4, 4), -3.0)
    half[:, :2] = 3
    maps = {Site.parse("in4.attn2"): {5.0: half, 1.0: half}, Site.parse("out5.ff"): {1.0: half}}
    drawn = as_array(map_figure(picture, maps, "title")).astype(int)
    red, blue = drawn[..., 0] - drawn[..., 2], drawn[..., 2] - drawn[..., 0]
    assert (red > 60).sum() > 500
    assert (blue > 60).sum() > 500
    flat = as_array(map_figure(picture, {site: {1.0: torch.zeros(4, 4)} for site in maps}, "title")).astype(int)
    # Nothing held: the only colours left are those of the bar.
    assert (np.abs(flat[..., 0] - flat[..., 2]) > 60).sum() < 0.2 * ((red > 60).sum() + (blue > 60).sum())


def test_one_site_and_one_step_are_enough():
    picture = np.zeros((64, 64, 3), np.uint8)
    assert as_array(map_figure(picture, {Site.parse("mid.ff"): {1.0: torch.ones(2, 2)}}, "title")).std() > 5
