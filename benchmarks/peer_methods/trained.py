"""Trained removal: ESD-x and a concept-slider LoRA, a few minutes each on the embedded model.

ESD-x (Gandikota et al., arXiv 2303.07345) trains the cross-attentions so that what they draw of the concept is what the
model drew less the concept, ε(x, c) → ε*(x) - η [ε*(x, c) - ε*(x)]. A concept slider (Gandikota et al., arXiv
2311.12092) trains a LoRA of attention so that it leads from the one prompt towards the other,
ε(x, c) → ε*(x, c) + η [ε*(x, c-) - ε*(x, c)], here c a pair's prompt with the concept and c- the same without it.
Both keep a share of prompts without the concept where they are, ε(x, k) → ε*(x, k), as their authors advise.

Left out: partial runs of the model being trained; x is a noisy picture of the concept, drawn by the model as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from steering.files import read_tensors, write_tensors
from steering.work_files import digest

from .learned import Learned, replaced, weights

STEPS, BATCH, RATE = 300, 8, 1e-3
RANK = 4
"""Of the slider."""


@dataclass(frozen=True)
class Training:
    """A setting.

    Attributes:
        slider: a LoRA towards the prompts without the concept, in place of ESD's cross-attentions.
        eta: η.
        scale: of the LoRA when it is used.
        rate: of learning.
    """

    slider: bool = False
    eta: float = 1.0
    scale: float = 1.0
    rate: float = RATE


@contextmanager
def trained(learned: Learned, how: Training) -> Iterator[None]:
    """The model with trained weights, which are kept in a file."""
    about = [replace(how, scale=1.0), STEPS, BATCH, learned.model.digest(), learned.positives, learned.without]
    path = learned.folder / f"{learned.subject.name}-{digest(*map(repr, about))}.safetensors"
    if not path.is_file():
        write_tensors(path, train(learned, how), "trained", 1, {})
    changes, _ = read_tensors(path, "trained", 1)
    own = dict(learned.model.unet.named_parameters())
    with weights(learned.model.unet, {name: own[name] + how.scale * value for name, value in changes.items()}):
        yield


@torch.enable_grad()  # pictures are drawn without
def train(learned: Learned, how: Training) -> dict[str, Tensor]:
    """The change of every trained weight, by name."""
    model = learned.model
    names = [name for name, _ in model.unet.named_parameters() if _belongs(name, how.slider)]
    own = {name: value.detach().clone() for name, value in model.unet.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    parts = {name: _part(own[name], how.slider, generator) for name in names}
    optimiser = torch.optim.Adam([part for some in parts.values() for part in some], lr=how.rate)
    pictures = learned.pictures
    contexts = [model.encode(side) for side in (learned.positives, learned.without, learned.kept)]
    nothing, levels = model.encode([""]), model.schedule.sigmas

    def changed() -> dict[str, Tensor]:
        return {name: some[0] if len(some) == 1 else some[0] @ some[1] for name, some in parts.items()}

    for _ in range(STEPS):
        rows = torch.randint(len(pictures), (BATCH,), generator=generator)
        sigma = float(levels[torch.randint(len(levels), (), generator=generator)])
        x = pictures[rows] + sigma * torch.randn(pictures[rows].shape, generator=generator)
        positive, negative, kept = (told[rows] for told in contexts)
        with torch.no_grad():
            plain = [model.predict_clean(x, sigma, some) for some in (positive, negative, kept)]
            goal = plain[1] if how.slider else model.predict_clean(x, sigma, nothing.expand(len(positive)))
            goal = (plain[0] if how.slider else goal) + how.eta * (goal - plain[0])
        now = own | {name: own[name] + change for name, change in changed().items()}
        with replaced(model, "unet", Changed(model.unet, now)):
            off = model.predict_clean(x, sigma, positive) - goal
            away = model.predict_clean(x, sigma, kept) - plain[2]
            # The noise's errors, whose size does not hang on its level.
            loss = (off.square().mean() + away.square().mean()) / sigma**2
            optimiser.zero_grad()
            loss.backward()
        optimiser.step()
    return {name: value.detach().contiguous() for name, value in changed().items()}


def _belongs(name: str, slider: bool) -> bool:
    ends = ("to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight")
    return name.endswith(ends) and (slider or "attn2" in name)


def _part(weight: Tensor, slider: bool, generator: torch.Generator) -> list[Tensor]:
    """What is trained of a weight's change: all of it, or two factors; at the start it is zero."""
    if not slider:
        return [torch.zeros_like(weight, requires_grad=True)]
    down = torch.randn(RANK, weight.shape[1], generator=generator) / weight.shape[1] ** 0.5
    return [torch.zeros(len(weight), RANK, requires_grad=True), down.requires_grad_()]


class Changed(nn.Module):
    """A UNet whose weights are these, which gradients reach."""

    def __init__(self, unet: nn.Module, changed: dict[str, Tensor]) -> None:
        super().__init__()
        self.whole, self.changed = unet, changed

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return torch.func.functional_call(self.whole, self.changed, inputs, named)
