"""Samplers that the engine itself does not run, to steer under: Heun's method and Euler's with new noise after every
step (Karras et al., arXiv 2206.00364), DPM-Solver++(2M) (Lu et al., arXiv 2211.01095)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from steering import DiffusionModel
from steering.models.sampling import Progress, silent

Clean = Callable[[Tensor, float], Tensor]
"""The clean latents that the model sees in noisy ones at a noise level."""
Sampler = Callable[[Clean, Tensor, Sequence[float]], Tensor]
"""Clean latents of noisy ones, along falling noise levels."""


def heun(clean: Clean, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Heun's method, two calls a step."""
    for sigma, following in pairwise(sigmas):
        slope = (x - clean(x, sigma)) / sigma
        if following:
            ahead = x + slope * (following - sigma)
            slope = (slope + (ahead - clean(ahead, following)) / following) / 2
        x = x + slope * (following - sigma)
    return x


def euler_ancestral(clean: Clean, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Euler's method with new noise after every step."""
    generator = torch.Generator().manual_seed(0)
    for sigma, following in pairwise(sigmas):
        up = (following**2 * (sigma**2 - following**2) / sigma**2) ** 0.5
        x = x + (x - clean(x, sigma)) / sigma * ((following**2 - up**2) ** 0.5 - sigma)
        x = x + up * torch.randn(x.shape, generator=generator).to(x.device)
    return x


def dpm_solver(clean: Clean, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """DPM-Solver++(2M)."""
    before: Tensor | None = None
    width = 0.0
    for sigma, following in pairwise(sigmas):
        now = clean(x, sigma)
        if not following:
            return now
        h = float(np.log(sigma / following))
        ahead = now if before is None else now + (now - before) * h / (2 * width)
        x = following / sigma * x - float(np.expm1(-h)) * ahead
        before, width = now, h
    return x


@contextmanager
def sampled(model: DiffusionModel, sampler: Sampler) -> Iterator[None]:
    """Inside it the model samples in this way."""

    @torch.no_grad()
    def denoise(
        conditional: Tensor,
        unconditional: Tensor | None,
        noise: Tensor,
        steps: int,
        guidance: float,
        progress: Progress = silent,
    ) -> Tensor:
        sigmas = model.levels(steps).tolist()

        def clean(x: Tensor, sigma: float) -> Tensor:
            return model.guided_clean(x, sigma, conditional, unconditional, guidance, progress)

        return sampler(clean, noise.to(model.device) * (1 + sigmas[0] ** 2) ** 0.5, sigmas)

    with patch.object(model, "denoise", denoise):
        yield
