"""The steering vector: directions per site and noise level, with their provenance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..checks import check_levels, check_mapping, check_source, some_of
from ..errors import SteeringError
from ..files import named, read_tensors, write_tensors
from ..sites import Site, choose_sites, sort_sites
from .recommendation import Recommendation
from .site import OPTIONAL, SiteVector, check_shapes

if TYPE_CHECKING:
    from ..interventions.entry import Entry

KIND, VERSION = "vector", 1


@dataclass(frozen=True, eq=False, repr=False)
class SteeringVector:
    """A concept's directions at the chosen sites, an immutable value.

    Between the knots the nearest one in log-sigma counts, so a vector captured with 30 steps steers
    a run of any other number of steps, from either end of the schedule.

    Attributes:
        sites: the chosen sites.
        sigmas: noise levels of the directions ``[S]``; one entry means constant in time.
        active_sigmas: noise levels on which ``active`` is given ``[A]``.
        metadata: concept, model, method, parameters, hashes, recommendation; JSON values only.
    """

    sites: Mapping[Site, SiteVector]
    sigmas: Tensor
    active_sigmas: Tensor
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sites:
            raise SteeringError("a steering vector needs at least one site; choose more layers or other pairs")
        check_levels(self.sigmas, "sigmas")
        check_levels(self.active_sigmas, "active_sigmas")
        for site, entry in self.sites.items():
            check_shapes(site, entry, len(self.sigmas), len(self.active_sigmas))
        _check_metadata(check_mapping(self.metadata, "metadata"), self.active_sigmas)
        object.__setattr__(self, "sites", MappingProxyType({site: self.sites[site] for site in sort_sites(self.sites)}))
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))

    def __repr__(self) -> str:
        return f"SteeringVector({self.concept or 'unnamed'}, {len(self.sites)} sites: {some_of(self.sites, 3)})"

    @property
    def concept(self) -> str:
        """Its concept's name; empty where the file does not say."""
        return str(self.metadata.get("concept") or "")

    @property
    def family(self) -> str:
        """The family of models that it was made for; empty where the file does not say."""
        return str(self.metadata.get("model", {}).get("family") or "")

    @property
    def recommended(self) -> Recommendation:
        """Preset, strength and window that the file recommends; see `recommend`."""
        return Recommendation.from_json(self.metadata.get("recommended", {}))

    def entry(self, **how: Any) -> Entry:
        """This vector with the way it is applied, for `steering.steer`; see `steering.interventions.entry.make_entry`.

        Args:
            how: strength, preset, settings, window, mode, mask and target; what is left out comes from the file's
                recommendation, else from the preset.
        """
        from ..interventions.entry import make_entry

        return make_entry(self, **how)

    def without(self, names: str) -> SteeringVector:
        """This vector without some of its sites, named by kinds and sites as in `steering.sites.choose_sites`.

        For models in which something else changes these, as HyperTile does with ``attn1``.

        Raises:
            SteeringError: it steers none of them, or no others.
        """
        mine = list(self.sites)
        try:
            left_out = set(choose_sites(mine, names))
        except SteeringError:
            raise SteeringError(f"{names!r} cannot be left out: the vector steers {some_of(mine)}") from None
        if left_out == set(mine):
            raise SteeringError(f"without {names!r} nothing of the vector is left, which steers {some_of(mine)}")
        return replace(self, sites={site: part for site, part in self.sites.items() if site not in left_out})

    def knot(self, sigma: float) -> int:
        """Index of the direction that counts at a noise level: the nearest in log-sigma."""
        return nearest(self.sigmas, sigma)

    @property
    def active_knots(self) -> Tensor:
        """The knot that counts at every active noise level ``[A]``."""
        return torch.tensor([self.knot(sigma) for sigma in self.active_sigmas.tolist()])

    def is_active(self, site: Site, sigma: float) -> bool:
        """Whether a site is steered at a noise level."""
        return bool(self.sites[site].active[nearest(self.active_sigmas, sigma)])

    def is_certain(self, site: Site, sigma: float) -> bool:
        """Whether a site's γ is known to more than its standard error at a noise level."""
        return bool(self.sites[site].certain[self.knot(sigma)])

    def digest(self, thresholds: bool = True, lengths: bool = False) -> str:
        """SHA-256 of what decides the pictures.

        ``thresholds`` do only under a gate that uses them, and ``lengths`` (the mean differences) only where a vector
        is added, replaced by, or combined.
        """
        digest = hashlib.sha256()
        for tensor in (self.sigmas, self.active_sigmas):
            digest.update(tensor.numpy().tobytes())
        names = (
            ("direction", "active", "negative_mean", "readout", "condition")
            + ("centres", "coefficients", "bandwidth", "trend")
            + ("threshold",) * thresholds
            + ("difference", "certainty") * lengths
        )
        for site, entry in self.sites.items():
            for name in names:
                value = getattr(entry, name)
                if value is not None:
                    digest.update(f"{site}/{name}".encode() + value.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write a ``.safetensors`` file, whole or not at all."""
        tensors: dict[str, Tensor] = {"sigmas": self.sigmas, "active_sigmas": self.active_sigmas}
        for site, entry in self.sites.items():
            for name in ("direction", "negative_mean", "difference", "active", *OPTIONAL):
                value = getattr(entry, name)
                if value is not None:
                    tensors[f"{site}/{name}"] = value
        write_tensors(path, tensors, KIND, VERSION, self.metadata)

    @classmethod
    def load(cls, path: str | Path) -> SteeringVector:
        """Read a file written by `save`.

        Raises:
            FileNotFoundError, SteeringError: with a sentence that says what was found and what to do.
        """
        tensors, metadata = read_tensors(path, KIND, VERSION)
        with named(path):
            return cls._of_tensors(tensors, metadata)

    @classmethod
    def _of_tensors(cls, tensors: dict[str, Tensor], metadata: Mapping[str, Any]) -> SteeringVector:
        try:
            sigmas, active_sigmas = tensors.pop("sigmas"), tensors.pop("active_sigmas")
            parts: dict[Site, dict[str, Tensor]] = {}
            for name, tensor in tensors.items():
                site, _, part = name.partition("/")
                parts.setdefault(Site.parse(site), {})[part] = tensor
            sites = {site: SiteVector(**values) for site, values in parts.items()}
            return cls(sites, sigmas, active_sigmas, metadata)
        except (KeyError, TypeError) as error:
            raise SteeringError(f"the file lacks or misnames a tensor ({error}); make it again") from None


def nearest(sigmas: Tensor, sigma: float) -> int:
    """Index of the entry of ``sigmas [S]`` nearest to ``sigma`` on a logarithmic scale."""
    tiny = 1e-8  # sigma 0 has no logarithm
    logs = sigmas.double().clamp_min(tiny).log()
    return int((logs - torch.tensor(max(sigma, tiny), dtype=torch.float64).log()).abs().argmin())


def _check_metadata(metadata: Mapping[str, Any], active_sigmas: Tensor) -> None:
    """Refuse metadata that would fail, or steer beyond reason, only when they are used."""
    check_source(metadata)
    window = Recommendation.from_json(metadata.get("recommended", {})).window
    everywhere = len(active_sigmas) == 1  # the nearest level counts, at any noise level of a run
    if (
        window is not None
        and not everywhere
        and not ((active_sigmas <= window[0]) & (active_sigmas >= window[1])).any()
    ):
        raise SteeringError(
            f"the recommended window from {window[0]:g} to {window[1]:g} holds none of the vector's noise levels, "
            f"{float(active_sigmas[0]):.3g} to {float(active_sigmas[-1]):.3g}; tune it again"
        )


def recommend(vector: SteeringVector, advice: Recommendation, **about: Any) -> SteeringVector:
    """The same vector with a recommendation in its file.

    Args:
        vector: the vector.
        advice: what `steering.interventions.entry.make_entry` takes where its user leaves preset, strength and window
            open; what it leaves open itself stays as the vector has it.
        about: how that was found, for readers.
    """
    merged = {**vector.metadata.get("recommended", {}), **advice.to_json(), **about}
    return replace(vector, metadata={**vector.metadata, "recommended": merged})
