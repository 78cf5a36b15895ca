"""The noise schedule: between timesteps, noise levels (sigma) and percent of the schedule.

sigma² = (1 - ᾱ) / ᾱ, the amount of noise on a picture of unit signal. A noise level is the only key
that means the same in every sampler and for every number of steps, so everything stored is stored
by sigma.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import SteeringError

LAST_SIGNAL = 4.8973451890853435e-08
"""The share of signal that is left at the last timestep of a schedule of zero terminal signal."""


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """A table of noise levels ``[1000]``, rising with the timestep it was trained with."""

    sigmas: Tensor

    def __post_init__(self) -> None:
        sigmas = self.sigmas
        rising = sigmas.ndim == 1 and len(sigmas) > 1 and bool((sigmas.diff() > 0).all())
        if not rising or not sigmas.isfinite().all() or sigmas[0] <= 0:
            raise SteeringError("a noise schedule must be finite noise levels above 0 that rise with the timestep")

    @classmethod
    def scaled_linear(cls, start: float = 0.00085, end: float = 0.012, steps: int = 1000) -> NoiseSchedule:
        """Stable Diffusion's schedule: betas linear in their square root."""
        return cls.from_betas(torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float64) ** 2)

    @classmethod
    def linear(cls, start: float = 0.0001, end: float = 0.02, steps: int = 1000) -> NoiseSchedule:
        """Betas linear in the timestep (Ho et al. 2020)."""
        return cls.from_betas(torch.linspace(start, end, steps, dtype=torch.float64))

    @classmethod
    def from_betas(cls, betas: Tensor) -> NoiseSchedule:
        """From the shares of noise β that every step adds ``[1000]``."""
        return cls.from_alphas((1 - betas.double()).cumprod(0))

    @classmethod
    def from_alphas(cls, alphas: Tensor) -> NoiseSchedule:
        """From the cumulative signal shares ᾱ ``[1000]``."""
        alphas = alphas.double()
        return cls(((1 - alphas) / alphas).sqrt())

    def zero_terminal(self) -> NoiseSchedule:
        """The schedule moved and stretched so that its last timestep is noise without signal.

        √ᾱ is shifted to 0 at the last timestep and scaled to what it was at the first (Lin et al., arXiv 2305.08891);
        the last ᾱ stays `LAST_SIGNAL`, as in ComfyUI, since a noise level must be finite.
        """
        roots = (1 / (self.sigmas.double() ** 2 + 1)).sqrt()
        alphas = ((roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])) ** 2
        alphas[-1] = LAST_SIGNAL
        return self.from_alphas(alphas)

    def sigma(self, timestep: float) -> float:
        """Noise level at a timestep, log-linear between the trained ones."""
        timestep = min(max(float(timestep), 0.0), len(self.sigmas) - 1.0)
        low = int(timestep)
        high = min(low + 1, len(self.sigmas) - 1)
        mix = timestep - low
        return float(((1 - mix) * self.sigmas[low].log() + mix * self.sigmas[high].log()).exp())

    def timestep(self, sigma: float) -> int:
        """The trained timestep nearest to a noise level in log-sigma, which is what the UNet is told."""
        return int((self.sigmas.log() - torch.tensor(max(sigma, 1e-10), dtype=torch.float64).log()).abs().argmin())

    def normal(self, steps: int) -> Tensor:
        """Noise levels of a run ``[steps + 1]``, falling to 0: evenly spaced timesteps from the last to the first.

        ComfyUI's ``normal`` scheduler, and diffusers' EulerDiscreteScheduler with linspace spacing.
        """
        _check_steps(steps)
        return self._falling(torch.linspace(len(self.sigmas) - 1, 0, steps, dtype=torch.float64))

    def sgm_uniform(self, steps: int) -> Tensor:
        """Noise levels of a run ``[steps + 1]``: as `normal` with a step more, less the level of least noise.

        ComfyUI's ``sgm_uniform``, nearly diffusers' trailing spacing: for models distilled to few steps, which would
        spend the last of them on hardly any noise.
        """
        _check_steps(steps)
        return self._falling(torch.linspace(len(self.sigmas) - 1, 0, steps + 1, dtype=torch.float64)[:-1])

    def _falling(self, times: Tensor) -> Tensor:
        return torch.tensor([self.sigma(float(time)) for time in times] + [0.0], dtype=torch.float32)

    def percent_to_sigma(self, percent: float) -> float:
        """Noise level at a share of the schedule: 0 is the start (infinite), 1 the end (0).

        The share is one of timesteps, as in ComfyUI, not of sampling steps.
        """
        if not 0 <= percent <= 1:
            raise SteeringError(f"percent {percent} must lie between 0 and 1")
        if percent in (0, 1):
            return 0.0 if percent else float("inf")
        return self.sigma((1 - percent) * (len(self.sigmas) - 1))

    def sigma_to_percent(self, sigma: float) -> float:
        """The share of the schedule, 0 to 1, at which a noise level is reached: the inverse of `percent_to_sigma`."""
        if sigma in (0.0, float("inf")):
            return 0.0 if sigma else 1.0
        logs, wanted = self.sigmas.log(), torch.tensor(sigma, dtype=torch.float64).log()
        high = int(torch.searchsorted(logs, wanted).clamp(1, len(logs) - 1))
        timestep = high - 1 + float((wanted - logs[high - 1]) / (logs[high] - logs[high - 1]))
        return min(max(1 - timestep / (len(logs) - 1), 0.0), 1.0)


def _check_steps(steps: int) -> None:
    if steps < 1:
        raise SteeringError(f"steps {steps} must be at least 1")


SCHEDULERS = {"normal": NoiseSchedule.normal, "sgm_uniform": NoiseSchedule.sgm_uniform}
"""ComfyUI's name -> noise levels of a run."""
