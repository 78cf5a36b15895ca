"""What a steering vector knows of one site, and what its tensors must look like."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_numbers
from ..directions.kernel import LocalMap
from ..errors import SteeringError
from ..sites import Site

NOTHING = 1e-5
"""A gap smaller than this share of the negative mean is none."""
AT_KNOTS = ("direction", "negative_mean", "difference", "threshold", "readout", "certainty")
"""Tensors of a site with a value a knot."""
OPTIONAL = ("threshold", "readout", "certainty", "condition", "centres", "coefficients", "bandwidth", "trend")
"""Tensors of a site that need not be there."""
ORTHONORMAL = 1e-3
"""How far direction·directionᵀ may be from the identity: float16 storage leaves about 5e-4."""


@dataclass(frozen=True, eq=False, repr=False)
class SiteVector:
    """What is known about the concept at one site.

    Attributes:
        direction: orthonormal rows ``[S, K, C]``; row 0 points from negative to positive.
        negative_mean: mean activation of the negative prompts ``[S, C]``.
        difference: mean difference positive - negative ``[S, C]``.
        active: where the site is steered, bool ``[A]`` on the vector's ``active_sigmas``.
        threshold: optional upper quantile of per-token coordinates on negative prompts ``[S, K]``.
        readout: optional rows ``[S, K, C]`` that coordinates are read with, for oblique methods.
        certainty: optional γ of pairs that had no part in the leading direction, in standard errors ``[S]``.
        condition: optional row and number ``[C + 1]`` that say which prompts hold the concept; see
            `steering.directions.condition`.
        centres, coefficients, bandwidth, trend: optional parts ``[M, C]``, ``[M, K]``, ``[1]`` and ``[K, C + 1]`` of a
            `steering.directions.kernel.LocalMap`, by which tokens are read in place of the directions; at a single
            noise level only, and the last one only with the others.
    """

    direction: Tensor
    negative_mean: Tensor
    difference: Tensor
    active: Tensor
    threshold: Tensor | None = None
    readout: Tensor | None = None
    certainty: Tensor | None = None
    condition: Tensor | None = None
    centres: Tensor | None = None
    coefficients: Tensor | None = None
    bandwidth: Tensor | None = None
    trend: Tensor | None = None

    def __repr__(self) -> str:
        levels, rank, width = self.direction.shape
        return f"SiteVector({rank} of {width} channels, {levels} noise levels, active at {int(self.active.sum())})"

    @property
    def certain(self) -> Tensor:
        """Whether γ is known to more than its standard error, bool ``[S]``; True where that was not measured."""
        if self.certainty is None:
            return torch.ones(len(self.direction), dtype=torch.bool)
        return self.certainty > 1

    @property
    def local(self) -> LocalMap | None:
        """The map by which tokens are read in place of the directions, where there is one."""
        if self.centres is None or self.coefficients is None or self.bandwidth is None:
            return None
        trend = None if self.trend is None else self.trend.float()
        return LocalMap(self.centres.float(), self.coefficients.float(), self.bandwidth.float(), trend)

    @property
    def rows_read(self) -> Tensor:
        """Rows that coordinates are read with ``[S, K, C]``: the readout, else the directions."""
        return self.direction if self.readout is None else self.readout

    @property
    def gap(self) -> Tensor:
        """γ_k = <difference, w_k>, the mean difference's coordinates ``[S, K]``; w are the rows read."""
        return torch.einsum("sc,skc->sk", self.difference.float(), self.rows_read.float())

    @property
    def displacement(self) -> Tensor:
        """D = Σ_k γ_k r_k ``[S, C]``: the mean difference as far as the directions hold it."""
        return torch.einsum("sk,skc->sc", self.gap, self.direction.float())

    @property
    def held(self) -> Tensor:
        """Whether a knot has a direction at all, bool ``[S]``: early sites see no text at the first step."""
        return self.gap[:, 0] > NOTHING * self.negative_mean.float().norm(dim=-1)

    @property
    def width(self) -> int:
        """Number of channels C."""
        return self.direction.shape[-1]


def check_shapes(site: Site, entry: SiteVector, knots: int, actives: int) -> None:
    """Refuse a site's tensors unless all have the shapes of ``knots`` and ``actives`` noise levels, and are numbers.

    Raises:
        SteeringError: a wrong shape or type, what is not finite, rows that are not orthonormal, or part of a local map.
    """
    steps, rank, width = entry.direction.shape if entry.direction.ndim == 3 else (0, 0, 0)
    if not 1 <= rank <= width:
        raise SteeringError(
            f"{site}/direction has shape {tuple(entry.direction.shape)}, expected [S, K, C] with 1 to C rows K"
        )
    expected = {
        "direction": (knots, rank, width),
        "negative_mean": (knots, width),
        "difference": (knots, width),
        "active": (actives,),
        "threshold": (knots, rank),
        "readout": (knots, rank, width),
        "certainty": (knots,),
        "condition": (width + 1,),
        **_local_shapes(site, entry, knots, rank, width),
    }
    for name, shape in expected.items():
        value = getattr(entry, name)
        if value is None:  # one of OPTIONAL
            continue
        if tuple(value.shape) != shape or steps != knots:
            raise SteeringError(
                f"{site}/{name} has shape {tuple(value.shape)}, expected {shape} for {knots} noise levels"
            )
        if name == "active":
            if value.dtype != torch.bool:
                raise SteeringError(f"{site}/active is of type {value.dtype}, not of truth values; make the file again")
        else:
            check_numbers(value, f"{site}/{name}")
    gram = entry.direction.float() @ entry.direction.float().mT
    if not (gram - torch.eye(rank)).abs().max() <= ORTHONORMAL:  # what is not a number is not within it
        raise SteeringError(f"{site}/direction has rows that are not orthonormal; normalise them before saving")


def _local_shapes(site: Site, entry: SiteVector, knots: int, rank: int, width: int) -> dict[str, tuple[int, ...]]:
    """The shapes of a local map's parts, of which there are all or none."""
    given = [part for part in (entry.centres, entry.coefficients, entry.bandwidth) if part is not None]
    if (given or entry.trend is not None) and (len(given) < 3 or knots > 1):
        raise SteeringError(
            f"{site} has {len(given)} of a local map's centres, coefficients and bandwidth, and {knots} noise levels; "
            "it takes all three, and one level; make the file again"
        )
    count = len(given[0]) if given else 0
    return {"centres": (count, width), "coefficients": (count, rank), "bandwidth": (1,), "trend": (rank, width + 1)}
