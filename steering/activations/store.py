"""Captured activations: what every site did on every pair at every noise level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ..checks import check_levels, check_mapping, check_numbers, check_source, short
from ..errors import SteeringError
from ..files import named, read_tensors, write_tensors
from ..folds import fold_numbers
from ..sites import Site, sort_sites

KIND, VERSION = "activations", 1
INACTIVE = 1e-5
"""A site-step counts as inactive where |difference| is at most this share of the activation norm."""


@dataclass(frozen=True, eq=False, repr=False)
class Activations:
    """Token means of site outputs.

    Attributes:
        tensors: for each site ``[2, N, S, C]`` float32: (positive, negative), row, noise level, channel. A row is a
            pair, or a token of one in a capture of the text embedding.
        sigmas: noise levels ``[S]``, falling.
        metadata: where they come from (model, pairs, sampler ...), JSON values only.
    """

    tensors: Mapping[Site, Tensor]
    sigmas: Tensor
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.tensors:
            raise SteeringError("activations need at least one site")
        first = next(iter(self.tensors.values()))
        for site, tensor in self.tensors.items():
            if tensor.ndim != 4 or tensor.shape[0] != 2 or tensor.shape[:3] != first.shape[:3]:
                raise SteeringError(f"activations of {site} have shape {tuple(tensor.shape)}, expected [2, N, S, C]")
            if min(tensor.shape) < 1:
                raise SteeringError(f"activations of {site} have shape {tuple(tensor.shape)}, in which nothing is left")
            check_numbers(tensor, f"activations of {site}")
        check_levels(self.sigmas, "sigmas")
        if self.sigmas.shape != (first.shape[2],):
            raise SteeringError(f"{len(self.sigmas)} sigmas do not match {first.shape[2]} noise levels")
        check_source(check_mapping(self.metadata, "metadata"))
        ordered = {site: self.tensors[site] for site in sort_sites(self.tensors)}
        object.__setattr__(self, "tensors", MappingProxyType(ordered))
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))

    def __repr__(self) -> str:
        of = self.metadata.get("concept") or "something"
        return f"Activations({of}, {len(self.tensors)} sites, {self.pairs} pairs, {len(self.sigmas)} noise levels)"

    @property
    def rows(self) -> int:
        """Number of rows N."""
        return next(iter(self.tensors.values())).shape[1]

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return self.rows // self.tokens

    @property
    def tokens(self) -> int:
        """Rows a pair: the tokens of its prompts in a capture of the text embedding, else 1.

        Raises:
            SteeringError: the file says a number of tokens that its rows do not have.
        """
        tokens = self.metadata.get("tokens", 1)
        if not isinstance(tokens, int) or tokens < 1 or self.rows % tokens:
            raise SteeringError(
                f"{self.rows} rows are no whole number of prompts of {short(tokens)} tokens; capture again"
            )
        return tokens

    @property
    def folds(self) -> Tensor:
        """The fold of every row ``[N]``; all rows of a pair, which stand token after token, are in the same."""
        return fold_numbers(self.pairs).repeat(self.tokens)

    def active(self, site: Site) -> Tensor:
        """Where the concept makes a difference at all, bool ``[S]``.

        Early sites see no text in the first step: positive and negative are identical there and
        there is no direction to speak of.
        """
        positive, negative = self.tensors[site].double()
        difference = (positive - negative).norm(dim=-1).mean(0)
        return difference > INACTIVE * positive.norm(dim=-1).mean(0)

    def save(self, path: str | Path) -> None:
        """Write a ``.safetensors`` file, whole or not at all."""
        tensors = {str(site): tensor for site, tensor in self.tensors.items()}
        write_tensors(path, {**tensors, "sigmas": self.sigmas}, KIND, VERSION, self.metadata)

    @classmethod
    def load(cls, path: str | Path) -> Activations:
        """Read a file written by `save`.

        Raises:
            FileNotFoundError, SteeringError: with a sentence that says what was found and what to do.
        """
        tensors, metadata = read_tensors(path, KIND, VERSION)
        sigmas = tensors.pop("sigmas", torch.empty(0))
        with named(path):
            return cls({Site.parse(name): tensor for name, tensor in tensors.items()}, sigmas, metadata)


def check_alike(kind: str, activations: Activations, other: Activations) -> None:
    """Refuse another capture of a ``kind`` of use that is not of the same family, noise levels, sites and widths."""
    mine, theirs = (some.metadata.get("model", {}).get("family", "") for some in (activations, other))
    if mine and theirs and mine != theirs:
        raise SteeringError(f"the {kind} capture is of {theirs} and the concept's of {mine}; capture both on one model")
    if other.sigmas.shape != activations.sigmas.shape or not torch.allclose(other.sigmas, activations.sigmas):
        raise SteeringError(
            f"the {kind} capture has {len(other.sigmas)} noise levels and the concept's {len(activations.sigmas)}, "
            "which must be the same; capture both with the same steps"
        )
    for site, tensor in activations.tensors.items():
        if site not in other.tensors:
            raise SteeringError(f"the {kind} capture lacks {site}; capture both at the same sites")
        if other.tensors[site].shape[-1] != tensor.shape[-1]:
            raise SteeringError(f"{site} has other channels in the {kind} capture; capture both on the same model")
