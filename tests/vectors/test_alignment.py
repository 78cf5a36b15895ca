import torch

from steering.sites import Site
from steering.vectors.alignment import aligned, used_knots
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

SITE = Site.parse("in1.attn2")


def vector(sigmas, active_sigmas, active):
    count = len(sigmas)
    direction = torch.eye(count + 1)[:count, None]
    part = SiteVector(
        direction, torch.arange(count)[:, None] * torch.ones(count + 1), direction[:, 0], torch.tensor(active)
    )
    return SteeringVector({SITE: part}, torch.tensor(sigmas), torch.tensor(active_sigmas))


def test_the_fewest_noise_levels_become_the_nearest_of_the_most():
    coarse = vector([8.0, 1.0], [8.0, 1.0], [True, False])
    fine = vector([9.0, 4.0, 0.9], [9.0, 4.0, 0.9], [True, True, True])
    first, second = aligned([coarse, fine])
    assert torch.equal(second.sigmas, fine.sigmas) and second is fine
    assert torch.equal(first.sigmas, fine.sigmas) and torch.equal(first.active_sigmas, fine.active_sigmas)
    # 4 is nearer to 8 than to 1 in log-sigma (a factor of 2 against one of 4)
    assert torch.equal(first.sites[SITE].negative_mean[:, 0], torch.tensor([0.0, 0.0, 1.0]))
    assert first.sites[SITE].active.tolist() == [True, True, False]


def test_a_knot_is_used_where_its_site_is_steered():
    part = vector([8.0, 1.0], [9.0, 7.0, 1.0], [False, True, False])
    assert used_knots(part.sites[SITE], part.active_knots).tolist() == [True, False]
