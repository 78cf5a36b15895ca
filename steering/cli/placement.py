"""Where a command's model runs, and how it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from ..models.diffusion import DiffusionModel


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the model runs.

    Attributes:
        device: auto, cpu, cuda, cuda:1, mps ...
        dtype: Precision of the weights; auto is float16 on CUDA and float32 elsewhere.
        offload: Text encoders and VAE wait on the CPU while they are idle.
        scheduler: Noise levels: normal, or sgm_uniform for models distilled to few steps; the model's own if not given.
    """

    device: str = "auto"
    dtype: Literal["auto", "float16", "bfloat16", "float32"] = "auto"
    offload: bool = False
    scheduler: Literal["normal", "sgm_uniform"] | None = None

    def arguments(self) -> dict[str, Any]:
        """What `load_model` takes besides the model's name."""
        import torch

        dtype = None if self.dtype == "auto" else getattr(torch, self.dtype)
        return {"device": self.device, "dtype": dtype, "offload": self.offload, "scheduler": self.scheduler}

    def as_captured(self, about: Mapping[str, Any]) -> Placement:
        """The same with the noise levels that a capture was made at, where nobody says others."""
        from ..schedule import SCHEDULERS

        known = about.get("scheduler")
        return self if self.scheduler or known not in SCHEDULERS else replace(self, scheduler=known)

    def load(self, model: str) -> DiffusionModel:
        """The model of a name, file, folder or hub id."""
        from ..models.loading import load_model

        return load_model(model, **self.arguments())


HERE = Placement()
"""Where nobody says."""
