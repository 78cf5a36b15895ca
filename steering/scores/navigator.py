"""LayerNavigator: how steerable a concept is at every site and noise level.

For one site and step, with positive and negative activations a⁺_i, a⁻_i of N pairs, z the
activations standardised per feature over both together (features without variance dropped), and
v = unit(mean_i (a⁺_i - a⁻_i)):

    discriminability  D = vᵀ S_b v / vᵀ (S_b + S_w) v      in [0, 1]: do the two sets separate along v?
    consistency       C = mean_i cos(z⁺_i - z⁻_i, v)       in [-1, 1]: does every pair move that way?
    score             S = D + C

with S_b, S_w the between- and within-class scatter of z. Only N projections on v enter, never a
C x C matrix. Source: LayerNavigator (NeurIPS 2025, openreview wj4lM45xQR); its weighted variant
pD + (1 - p)C is left out, p = 1/2 being the best reported.

As published (``paper``) v is fitted and scored on the same pairs, which favours wide layers: on
pure noise D is about .77, .87, .93 at widths 320, 640, 1280. ``cross-fitted`` fits standardisation
and v on four fifths of the pairs, scores the rest, and averages over five folds; pure noise then
scores the same at every width.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..activations.store import Activations
from ..checks import check_levels, check_mapping, check_numbers, some_of
from ..errors import SteeringError
from ..files import named, parse_object, read_text, write_text
from ..folds import FOLDS
from ..sites import Site, sort_sites

MODES = ("cross-fitted", "paper")


@dataclass(frozen=True, eq=False)
class SiteScores:
    """Scores of one site per noise level, each ``[S]``; 0 where the site-step is inactive."""

    score: Tensor
    discriminability: Tensor
    consistency: Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """Scores of every site.

    Attributes:
        mode: ``cross-fitted`` or ``paper``.
        sigmas: noise levels ``[S]``.
        sites: scores by site.
        active: where a difference exists at all, bool ``[S]`` by site.
    """

    mode: str
    sigmas: Tensor
    sites: Mapping[Site, SiteScores]
    active: Mapping[Site, Tensor]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_levels(self.sigmas, "sigmas")
        if not self.sites or set(self.sites) != set(self.active):
            raise SteeringError("scores need at least one site, and where each is active; make them again")
        for site, values in self.sites.items():
            numbers = {key: getattr(values, key) for key in ("score", "discriminability", "consistency")}
            for name, part in {**numbers, "active": self.active[site]}.items():
                if part.shape != self.sigmas.shape:
                    raise SteeringError(
                        f"{name} of {site} has shape {tuple(part.shape)}, expected one number for each of the "
                        f"{len(self.sigmas)} noise levels"
                    )
            for name, part in numbers.items():
                check_numbers(part, f"{name} of {site}")
            if self.active[site].dtype != torch.bool:
                raise SteeringError(f"active of {site} must be true or false at every noise level")
        check_mapping(self.metadata, "metadata")

    def __repr__(self) -> str:
        return f"Scores({self.mode}, {len(self.sites)} sites, {len(self.sigmas)} noise levels)"

    def table(self) -> Tensor:
        """Scores as one table ``[sites, S]`` in order of execution."""
        return torch.stack([self.sites[site].score for site in sort_sites(self.sites)])

    def means(self) -> dict[Site, Tensor]:
        """Mean score over the noise levels where a site is active; 0 where it is at none."""
        active = {site: self.active[site] for site in sort_sites(self.sites)}
        return {site: (self.sites[site].score * on).sum() / on.sum().clamp_min(1) for site, on in active.items()}

    def ranking(self, count: int | None = None) -> dict[str, float]:
        """Mean score over the noise levels where a site is active, by its name, best first; 0 where it is at none."""
        means = {str(site): float(mean) for site, mean in self.means().items()}
        return {site: means[site] for site in sorted(means, key=lambda site: -means[site])[:count]}

    def check_fit(self, activations: Activations) -> None:
        """Refuse a capture at other noise levels than these scores, or without a site of theirs."""
        here, there = activations.sigmas, self.sigmas
        if here.shape != there.shape or not torch.allclose(here.double(), there.double(), rtol=1e-3):
            raise SteeringError(
                f"the scores are of {len(there)} noise levels from {there[0]:.4g} to {there[-1]:.4g}, and the capture "
                f"of {len(here)} from {here[0]:.4g} to {here[-1]:.4g}; score this capture, or leave the scores out"
            )
        missing = [site for site in self.sites if site not in activations.tensors]
        if missing:
            raise SteeringError(
                f"the scores are of {some_of(missing)} too, which the capture lacks; score this capture, or leave them "
                "out"
            )

    def save(self, path: str | Path) -> None:
        """Write JSON, whole or not at all."""
        write_text(path, json.dumps(self.to_json(), indent=1))

    def to_json(self) -> dict[str, Any]:
        """The scores as JSON values."""
        sites = {
            str(site): {
                "score": values.score.tolist(),
                "discriminability": values.discriminability.tolist(),
                "consistency": values.consistency.tolist(),
                "active": self.active[site].tolist(),
            }
            for site, values in self.sites.items()
        }
        return {"mode": self.mode, "sigmas": self.sigmas.tolist(), "sites": sites, "metadata": dict(self.metadata)}

    @classmethod
    def load(cls, path: str | Path) -> Scores:
        """Read a file written by `save`; raises SteeringError for anything else."""
        data = parse_object(read_text(path), Path(path).name)
        with named(path):
            return cls._of_json(data)

    @classmethod
    def _of_json(cls, data: Mapping[str, Any]) -> Scores:
        names = ("score", "discriminability", "consistency")
        try:
            sites = {
                Site.parse(name): SiteScores(*(torch.tensor(values[key], dtype=torch.float64) for key in names))
                for name, values in data["sites"].items()
            }
            active = {Site.parse(name): torch.tensor(values["active"]) for name, values in data["sites"].items()}
            return cls(data["mode"], torch.tensor(data["sigmas"]), sites, active, data.get("metadata", {}))
        except SteeringError:
            raise
        except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
            raise SteeringError(f"this is not a scores file ({error}); make it with steering score") from None


def as_lines(ranking: Mapping[str, float]) -> str:
    """A ranking as text, one site a line."""
    return "\n".join(f"{site:<14}{mean:8.3f}" for site, mean in ranking.items())


def usual_mode(activations: Activations) -> str:
    """The mode where none is asked for: cross-fitted, or ``paper`` below two pairs a fold."""
    return "cross-fitted" if activations.pairs >= 2 * FOLDS else "paper"


def score(activations: Activations, mode: str = "cross-fitted") -> Scores:
    """Score every site of a capture.

    Raises:
        SteeringError: an unknown mode, or too few pairs for it.
    """
    if mode not in MODES:
        raise SteeringError(f"score mode {mode!r} is not one of {', '.join(MODES)}")
    if mode == "cross-fitted" and activations.pairs < 2 * FOLDS:
        raise SteeringError(
            f"cross-fitted scores need at least {2 * FOLDS} pairs, got {activations.pairs}; use mode paper"
        )
    if activations.rows < 2:
        raise SteeringError(f"scores need at least 2 pairs, got {activations.pairs}")
    fitted = mode == "cross-fitted"
    sites, active = {}, {}
    for site, tensor in activations.tensors.items():
        active[site] = activations.active(site)
        values = tensor.double()
        discriminability, consistency = cross_fitted(values, activations.folds) if fitted else in_sample(values)
        discriminability, consistency = (value * active[site] for value in (discriminability, consistency))
        sites[site] = SiteScores(discriminability + consistency, discriminability, consistency)
    return Scores(mode, activations.sigmas, sites, active, {"pairs": activations.pairs})


def in_sample(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """D and C ``[S]`` of activations ``[2, N, S, C]``, fitted and scored on the same pairs (as published)."""
    return _held_out(tensor, tensor)


def cross_fitted(tensor: Tensor, folds: Tensor) -> tuple[Tensor, Tensor]:
    """D and C ``[S]`` of activations ``[2, N, S, C]`` in folds ``[N]``, scored with directions they did not make."""
    parts = [_held_out(tensor[:, folds != fold], tensor[:, folds == fold]) for fold in folds.unique()]
    return torch.stack([d for d, _ in parts]).mean(0), torch.stack([c for _, c in parts]).mean(0)


def _held_out(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """D and C of ``test [2, n, S, C]`` along v and in the units of ``train [2, N, S, C]``."""
    mean = train.mean((0, 1))  # [S, C]
    deviation = train.flatten(0, 1).std(0, unbiased=False)
    usable = deviation > 0
    direction = torch.nn.functional.normalize((train[0] - train[1]).mean(0) * usable, dim=-1)
    z = torch.where(usable, (test - mean) / deviation.where(usable, torch.ones_like(deviation)), 0.0)
    projection = (z * direction).sum(-1)  # [2, n, S]
    class_means = projection.mean(1, keepdim=True)
    between = (class_means - projection.mean((0, 1))).square().sum((0, 1)) * test.shape[1]
    within = (projection - class_means).square().sum((0, 1))
    total = between + within
    discriminability = torch.where(total > 0, between / total.clamp_min(1e-300), torch.zeros_like(total))
    moved = z[0] - z[1]
    consistency = torch.nn.functional.cosine_similarity(moved, direction.expand_as(moved), dim=-1).mean(0)
    return discriminability, consistency
