"""The running UNet call, described: what a hook must know and the tensors do not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from ..errors import SteeringError
from ..schedule import NoiseSchedule
from ..sites import Site


@dataclass(frozen=True)
class Call:
    """What one UNet call is about, which the tensors do not say.

    Attributes:
        sigmas: noise level of every row.
        conditional: whether a row belongs to the prompt (True) or to the negative prompt (False).
        latent: height and width of the latents, which a mask needs.
        batch: number of latents; the rows hold the batch once or several times, one after the other. None
            means that all rows are one batch.
    """

    sigmas: tuple[float, ...]
    conditional: tuple[bool, ...]
    latent: tuple[int, int] | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        if len(self.sigmas) != len(self.conditional):
            raise SteeringError(f"{len(self.sigmas)} sigmas do not match {len(self.conditional)} conditional flags")

    def acting(self, sigma: float, half: str) -> list[int]:
        """The rows at a noise level that are steered: the prompts', or those of ``both`` halves of guidance."""
        rows = enumerate(zip(self.sigmas, self.conditional, strict=True))
        return [i for i, (level, conditional) in rows if level == sigma and (conditional or half == "both")]

    def check_rows(self, site: Site, output: Tensor) -> None:
        """Raise RuntimeError where a site's output has other rows than the call."""
        if len(self.sigmas) != len(output):
            raise RuntimeError(
                f"the call describes {len(self.sigmas)} rows, {site} computed {len(output)}; something else cuts the "
                f"picture up there, as HyperTile does with attn1: take it out, or leave {site.kind} out of the vector"
            )


class SteerableModel(Protocol):
    """What `steer` needs of a model: its UNet, schedule and family, and a description of the running call."""

    unet: nn.Module
    family: str
    schedule: NoiseSchedule

    @property
    def call(self) -> Call | None:
        """Description of the UNet call that this thread is in, None outside of sampling."""
        ...


def running_call(model: SteerableModel) -> Call:
    """The UNet call that a model is in; raises RuntimeError outside of its own sampling."""
    if model.call is None:
        raise RuntimeError(
            "the UNet runs outside of this model's own sampling; use model.generate or steer the bare UNet"
        )
    return model.call
