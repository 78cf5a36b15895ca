"""The presence judge: which objects and styles a picture shows, and whether it is a scene at all.

A small convolutional network with one independent logit per object, per painted style, and one for
"this is a scene". It is trained on rendered scenes alone and never sees the generator, nor the
generator it. Wreckage must not count as suppression, so two figures are derived, both 0 to 100:

    presence of a concept   100 (1 - P(scene) (1 - P(concept)))    a wreck counts as "still there"
    kept                    100 P(scene) P(object)                 a wreck counts as "lost"
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from .scenes import OBJECTS, STYLES
from .tensors import to_tensor

LABELS = (*OBJECTS, *STYLES[1:], "scene")
"""Names of the judge's outputs, in order."""

WEIGHTS = Path(__file__).parent / "weights" / "judge.safetensors"


class JudgeNetwork(nn.Module):
    """Pictures ``[B, 3, 128, 128]`` in [0, 1] to logits ``[B, 15]``."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 6 * width)
        layers: list[nn.Module] = [nn.Conv2d(3, width, 5, stride=2, padding=2), nn.BatchNorm2d(width), nn.ReLU()]
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        # Largest response says "somewhere in the picture", the average says "all over it" (styles).
        self.head = nn.Linear(2 * widths[-1], len(LABELS))

    def pooled(self, images: Tensor) -> Tensor:
        """What the logits are read from ``[B, 288]``: each feature's largest and average response."""
        features = self.features(images * 2 - 1)
        return torch.cat([features.amax((2, 3)), features.mean((2, 3))], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[B, 15]`` in the order of `LABELS`."""
        return self.head(self.pooled(images))


@dataclass(frozen=True)
class Verdict:
    """What the judge sees in a list of pictures.

    Attributes:
        probabilities: ``[N]`` per label.
        features: unit features ``float32 [N, 288]``, for distances between pictures.
    """

    probabilities: dict[str, np.ndarray]
    features: np.ndarray

    def there(self, picture: int, besides: tuple[str, ...] = ()) -> list[str]:
        """The things and styles that are more likely there than not in a picture, by its number, but for some."""
        names = (name for name in LABELS if name not in (*besides, "scene"))
        return [name for name in names if self.probabilities[name][picture] > 0.5]

    def presence(self, names: tuple[str, ...]) -> np.ndarray:
        """0-100 presence of a concept (the largest of ``names``), a wreck counted as presence."""
        concept = np.max([self.probabilities[name] for name in names], axis=0)
        return 100 * (1 - self.probabilities["scene"] * (1 - concept))

    def kept(self, names: tuple[str, ...]) -> np.ndarray:
        """0-100 presence of what a prompt asked for (the smallest of ``names``), a wreck counted as lost."""
        wanted = np.min([self.probabilities[name] for name in names], axis=0)
        return 100 * self.probabilities["scene"] * wanted


@lru_cache(maxsize=1)
def load_judge() -> JudgeNetwork:
    """The trained judge, on the CPU in float32."""
    network = JudgeNetwork()
    network.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()}, strict=False)
    return network.eval()


@torch.no_grad()
def judge(images: np.ndarray, batch: int = 64) -> Verdict:
    """What the judge sees in pictures ``uint8 [N, 128, 128, 3]``."""
    network = load_judge()
    parts = (images[i : i + batch] for i in range(0, len(images), batch))
    pooled = torch.cat([network.pooled(to_tensor(part)) for part in parts])
    probabilities = network.head(pooled).sigmoid().numpy()
    features = nn.functional.normalize(pooled, dim=1).numpy()
    return Verdict({label: probabilities[:, i] for i, label in enumerate(LABELS)}, features)
