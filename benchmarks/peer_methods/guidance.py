"""Other rules of guidance: a negative prompt, negative guidance, Perp-Neg and SLD.

With ε of the prompt (p), of the empty prompt (u) and of the concept in words (c), and the guidance g:

    negative prompt     ε = ε_c + g (ε_p - ε_c)
    negative guidance   ε = ε_u + g (ε_p - ε_u) - w (ε_c - ε_u)
    Perp-Neg            ε = ε_u + g [d_p - w (d_c - <d_c, d_p> / |d_p|² d_p)]       d = ε - ε_u
    SLD                 ε = ε_u + g (ε_p - ε_u - γ)       γ = μ (ε_c - ε_u) + s_m ν       ν' = β ν + (1 - β) γ
                        μ = min(s |ε_p - ε_c|, 1) where ε_p - ε_c < λ, else 0; from step δ on

Perp-Neg: Armandpour et al., arXiv 2304.04968, with one negative prompt and a constant weight. SLD: Schramowski et al.,
arXiv 2211.05105, with the four settings of its authors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from steering.models.conditioning import Conditioning, together
from steering.models.sampling import Progress, silent

from .learned import Learned, replaced

Rule = Callable[[Tensor, Tensor, Tensor, float, float], Tensor]
"""ε of the prompt, of nothing and of the concept, the guidance, and the share of the schedule that is done -> ε."""


@dataclass(frozen=True)
class NegativePrompt:
    """The rule above."""

    def __call__(self, prompt: Tensor, _nothing: Tensor, concept: Tensor, guidance: float, _done: float) -> Tensor:
        return concept + guidance * (prompt - concept)


@dataclass(frozen=True)
class NegativeGuidance:
    """The rule above, w the weight."""

    weight: float

    def __call__(self, prompt: Tensor, nothing: Tensor, concept: Tensor, guidance: float, _done: float) -> Tensor:
        return nothing + guidance * (prompt - nothing) - self.weight * (concept - nothing)


@dataclass(frozen=True)
class PerpNeg:
    """The rule above, w the weight."""

    weight: float

    def __call__(self, prompt: Tensor, nothing: Tensor, concept: Tensor, guidance: float, _done: float) -> Tensor:
        positive, negative = prompt - nothing, concept - nothing
        along = (negative * positive).sum((1, 2, 3), keepdim=True)
        along = along / positive.square().sum((1, 2, 3), keepdim=True).clamp_min(1e-12)
        return nothing + guidance * (positive - self.weight * (negative - along * positive))


@dataclass(frozen=True)
class Safe:
    """SLD's settings: s, δ of 50 steps, λ, s_m, β."""

    scale: float
    warmup: int
    threshold: float
    momentum_scale: float
    momentum: float


WEAK = Safe(200, 15, 0.0, 0.0, 0.0)
MEDIUM = Safe(1000, 10, 0.01, 0.3, 0.4)
STRONG = Safe(2000, 7, 0.025, 0.5, 0.7)
MAXIMAL = Safe(5000, 0, 1.0, 0.5, 0.7)


@dataclass(eq=False)
class SafeRule:
    """SLD's rule, which remembers ν; a new run begins with nothing."""

    safe: Safe
    done: float = 1.0
    memory: Tensor = field(default_factory=lambda: torch.zeros(()))

    def __call__(self, prompt: Tensor, nothing: Tensor, concept: Tensor, guidance: float, done: float) -> Tensor:
        if done <= self.done:
            self.memory = torch.zeros(())
        self.done = done
        safe, apart = self.safe, prompt - concept
        scale = torch.where(apart < safe.threshold, (apart.abs() * safe.scale).clamp_max(1), 0.0)
        change = scale * (concept - nothing) + safe.momentum_scale * self.memory
        self.memory = safe.momentum * self.memory + (1 - safe.momentum) * change
        acts = done >= safe.warmup / 50
        return nothing + guidance * (prompt - nothing - (change if acts else 0))


@contextmanager
def guided(learned: Learned, rule: Rule) -> Iterator[None]:
    """The model with another rule of guidance; a third branch is computed for the concept in words."""
    model = learned.model
    words = model.encode([", ".join(learned.names)])

    def guided_clean(
        x: Tensor,
        sigma: float,
        conditional: Conditioning,
        unconditional: Conditioning,
        guidance: float,
        progress: Progress = silent,
    ) -> Tensor:
        told = together([part.expand(len(x)) for part in (conditional, unconditional, words)])
        clean = model.predict_clean(torch.cat([x] * 3), sigma, told)
        progress(len(told))
        noises = ((x.repeat(3, 1, 1, 1) - clean) / sigma).chunk(3)
        done = model.schedule.sigma_to_percent(sigma)
        return x - sigma * rule(noises[0], noises[1], noises[2], guidance, done)

    with replaced(model, "guided_clean", guided_clean):
        yield
