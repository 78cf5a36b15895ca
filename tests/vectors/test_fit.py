import pytest
import torch

from steering.errors import SteeringError
from steering.sites import Site
from steering.vectors.fit import check_fit
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

SIGMAS = torch.tensor([1.0])


def vector_of(site, width, family=""):
    part = SiteVector(torch.eye(1, width)[None], *(torch.ones(1, width),) * 2, torch.ones(1, dtype=torch.bool))
    metadata = {"model": {"family": family}} if family else {}
    return SteeringVector({Site.parse(site): part}, SIGMAS, SIGMAS, metadata)


@pytest.mark.parametrize("family", ["pocket", ""])
def test_a_vector_of_the_model_s_own_sites_and_widths_fits(toy_model, family):
    check_fit(vector_of("in4.attn2", 64, family), toy_model.sites(), "pocket")
    check_fit(vector_of("in4.attn2", 64, family), toy_model.sites(), "")


@pytest.mark.parametrize(
    ("site", "family", "words"),
    [
        ("in4.attn2", "sd15", r"^the vector was made for sd15, and this model is pocket; use a"),
        ("in4.attn2", "pocket", r"in4.attn2 has 64 channels here and 8 .* made for pocket; use"),
        ("in4.attn2", "", r"made for another model; use a vector made for this model$"),
        ("in4.attn2.1", "", r"^the vector steers in4.attn2.1, which this model lacks, and was made for another model"),
    ],
)
def test_a_vector_of_another_model_is_refused_with_its_family(toy_model, site, family, words):
    with pytest.raises(SteeringError, match=words):
        check_fit(vector_of(site, 8, family), toy_model.sites(), "pocket")
