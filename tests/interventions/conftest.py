"""What the tests of interventions share."""

import torch
from hypothesis import strategies as st

from steering.interventions.engine import Steering
from steering.interventions.operators import Rows
from steering.interventions.presets import EditSettings
from steering.models.call import Call
from steering.schedule import NoiseSchedule
from steering.sites import Site, module_width
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

# Projections of unit-scale numbers in float32 over at most 64 channels: rounding stays below this.
TOLERANCE = 1e-5


tokens = st.integers(0, 2**31 - 1).map(
    lambda seed: torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(seed))
)


def rows_of(directions, strengths, offsets=None, leads=None):
    count = len(directions)
    return Rows(
        directions,
        torch.zeros(count) if offsets is None else offsets,
        torch.full((count,), float(strengths)) if not torch.is_tensor(strengths) else strengths,
        torch.zeros(count, dtype=torch.long) if leads is None else leads,
        directions,
    )


def basis(rank, width, seed=0):
    return torch.linalg.qr(torch.randn(width, rank, generator=torch.Generator().manual_seed(seed))).Q.T.contiguous()


STEPS = 3


SIGMAS = NoiseSchedule.scaled_linear().normal(STEPS)[:-1]


BOTH = EditSettings("zero", "all", False, "both")


def vector_for(model, names, seed=0, metadata=None):
    generator = torch.Generator().manual_seed(seed)
    modules = model.sites()
    sites = {}
    for name in names:
        site = Site.parse(name)
        width = module_width(modules[site], site.kind)
        rows = torch.nn.functional.normalize(torch.randn(STEPS, 1, width, generator=generator), dim=-1)
        active = torch.ones(STEPS, dtype=torch.bool)
        sites[site] = SiteVector(rows, torch.randn(STEPS, width, generator=generator), rows[:, 0], active)
    return SteeringVector(sites, SIGMAS, SIGMAS, metadata or {})


def edited(entries, output, sigma=5.0, name="in4.attn2"):
    return Steering(entries).edit(Site.parse(name), output, Call((sigma,) * len(output), (True,) * len(output)))


def even(site, along=None):
    """A vector along one row of eight numbers, equal ones if not given, at one noise level."""
    row = torch.nn.functional.normalize((torch.ones(8) if along is None else along)[None, None], dim=-1)
    sigmas = torch.tensor([5.0])
    part = SiteVector(row, torch.zeros(1, 8), row[:, 0], torch.tensor([True]))
    return SteeringVector({site: part}, sigmas, sigmas)
