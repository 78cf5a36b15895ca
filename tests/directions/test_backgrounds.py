import pytest
import torch

from steering.directions.backgrounds import BACKGROUNDS, get_background


def test_each_background_holds_what_its_name_says_and_no_mean_difference():
    positive, negative, first = torch.randn(3, 6, 4, dtype=torch.float64) + torch.tensor([[[3.0]], [[0.0]], [[9.0]]])
    made = {name: get_background(name)(positive, negative, first) for name in BACKGROUNDS}
    torch.testing.assert_close(made["negatives"], negative - negative.mean(0))
    torch.testing.assert_close(made["early"], first - first.mean(0))
    assert made["within"].shape == (12, 4)
    for samples in made.values():  # a background that held the shift would take the signal away
        torch.testing.assert_close(samples.mean(0), torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)


def test_unknown_backgrounds_are_refused():
    with pytest.raises(ValueError, match="negatives, within, early, nor a capture"):
        get_background("x")
