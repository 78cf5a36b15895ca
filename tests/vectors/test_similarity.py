import pytest
import torch

from steering.errors import SteeringError
from steering.sites import Site
from steering.vectors.similarity import cosine_table, cosines, name_of
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

SITE, OTHER = Site.parse("in1.attn2"), Site.parse("in2.attn2")


def vector(row, site=SITE, active=(True, True)):
    direction = torch.nn.functional.normalize(torch.tensor([row, row]), dim=-1)[:, None]
    part = SiteVector(direction, torch.zeros(2, len(row)), 2 * direction[:, 0], torch.tensor(active))
    return SteeringVector({site: part}, torch.tensor([8.0, 1.0]), torch.tensor([8.0, 1.0]))


def test_cosines_are_those_of_the_leading_directions():
    matrix = cosines([vector([1.0, 0.0]), vector([1.0, 1.0]), vector([-1.0, 0.0])])
    expected = torch.tensor([[1.0, 0.5**0.5, -1.0], [0.5**0.5, 1.0, -(0.5**0.5)], [-1.0, -(0.5**0.5), 1.0]])
    assert torch.allclose(matrix, expected, atol=1e-6)  # float32 rounding


def test_vectors_without_a_common_site_have_no_cosine():
    matrix = cosines([vector([1.0, 0.0]), vector([1.0, 0.0], OTHER)])
    assert torch.isnan(matrix[0, 1]) and matrix[0, 0] == 1
    assert "-" in cosine_table(["a", "b"], matrix).splitlines()[1]


def test_a_noise_level_that_neither_uses_does_not_count():
    one, other = vector([1.0, 0.0], active=(True, False)), vector([1.0, 0.0], active=(True, False))
    bent = other.sites[SITE].direction.clone()
    bent[1, 0] = torch.tensor([0.0, 1.0])
    other.sites[SITE].direction.copy_(bent)
    assert cosines([one, other])[0, 1] == 1


def test_other_widths_are_refused_and_names_are_concepts_or_numbers():
    with pytest.raises(SteeringError, match="2 channels in one vector and 3"):
        cosines([vector([1.0, 0.0]), vector([1.0, 0.0, 0.0])])
    assert name_of(vector([1.0, 0.0]), 1) == "vector 2"


def test_the_table_numbers_its_columns_and_lines_up():
    matrix = torch.tensor([[1.0, 0.25], [0.25, 1.0]])
    assert cosine_table(["dog", "a longer name"], matrix).splitlines() == [
        "                    1       2",
        "dog             1.000   0.250",
        "a longer name   0.250   1.000",
    ]
