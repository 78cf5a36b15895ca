"""The judge: which things, styles and places a picture shows, and whether something in it is broken.

A small convolutional network with one independent logit per kind of thing, style and place. It is trained on rendered
scenes alone and never sees the generator, nor the generator it. Another of the same form says whether there is
*debris*: something broken, ghosted, half faded or mixed is visible. It began with scenes that `debris` breaks, and has
learned from drawings of the generator which an eye had labelled (`train_debris`). Three figures are derived, 0 to 100:

    presence of a concept   100 max P(label)
    kept                    100 min P(label) over what a prompt asks for
    debris                  100 P(debris)         also of pictures that are no scene any more
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .styles import STYLES
from .tensors import stored_weights, to_tensor
from .world import BACKGROUNDS, OBJECTS

LABELS = (*OBJECTS, *STYLES, *BACKGROUNDS, "debris")
"""Names of the judge's outputs, in order; the last as it knows it of rendered scenes."""

WEIGHTS, DEBRIS = (Path(__file__).parent / "weights" / f"{name}.safetensors" for name in ("judge", "debris"))
"""The judge's weights, and those of the network that says what is broken."""


class JudgeNetwork(nn.Module):
    """Pictures ``[B, 3, 128, 128]`` in [0, 1] to logits ``[B, answers]``."""

    def __init__(self, answers: int = len(LABELS), width: int = 32) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 6 * width)
        layers: list[nn.Module] = [nn.Conv2d(3, width, 5, stride=2, padding=2), nn.BatchNorm2d(width), nn.ReLU()]
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        # Largest response says "somewhere in the picture", the average says "all over it" (styles).
        self.head = nn.Linear(2 * widths[-1], answers)

    def pooled(self, images: Tensor) -> Tensor:
        """What the logits are read from ``[B, 384]``: each feature's largest and average response."""
        features = self.features(images * 2 - 1)
        return torch.cat([features.amax((2, 3)), features.mean((2, 3))], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[B, answers]``, the judge's in the order of `LABELS`."""
        return self.head(self.pooled(images))


@dataclass(frozen=True)
class Verdict:
    """What the judge sees in a list of pictures.

    Attributes:
        probabilities: ``[N]`` per label.
        features: unit features ``float32 [N, 384]``, for distances between pictures.
    """

    probabilities: dict[str, np.ndarray]
    features: np.ndarray

    def presence(self, names: tuple[str, ...]) -> np.ndarray:
        """0-100 presence of a concept, the largest of ``names``."""
        return 100 * np.max([self.probabilities[name] for name in names], axis=0)

    def kept(self, names: tuple[str, ...]) -> np.ndarray:
        """0-100 presence of what a prompt asks for, the smallest of ``names``."""
        return 100 * np.min([self.probabilities[name] for name in names], axis=0)

    def there(self, picture: int, besides: tuple[str, ...] = ()) -> list[str]:
        """The things and styles that are more likely there than not in a picture, by its number, but for some."""
        names = (name for name in (*OBJECTS, *STYLES) if name not in besides)
        return [name for name in names if self.probabilities[name][picture] > 0.5]

    @property
    def debris(self) -> np.ndarray:
        """0-100, that something broken is visible."""
        return 100 * self.probabilities["debris"]


@lru_cache(maxsize=2)
def load_judge(path: Path = WEIGHTS) -> JudgeNetwork:
    """The trained network of a file, on the CPU in float32."""
    weights = stored_weights(path)
    network = JudgeNetwork(len(weights["head.bias"]))
    network.load_state_dict(weights, strict=False)
    return network.eval()


def both_sides(network: JudgeNetwork, images: Tensor) -> Tensor:
    """A network's logits, the mean over images and their mirror images."""
    return (network(images) + network(images.flip(3))) / 2


@torch.no_grad()
def judge(images: np.ndarray, batch: int = 64) -> Verdict:
    """What the judge sees in pictures ``uint8 [N, 128, 128, 3]``."""
    network, debris = load_judge(), load_judge(DEBRIS)
    parts = (to_tensor(images[i : i + batch]) for i in range(0, len(images), batch))
    seen = [(network.pooled(part), network.pooled(part.flip(3)), both_sides(debris, part)) for part in parts]
    pooled, mirrored, of_drawings = (torch.cat(each) for each in zip(*seen, strict=True))
    logits = network.head(pooled)
    of_rendered = (logits + network.head(mirrored))[:, -1:] / 2
    # What either of the two calls broken is: one knows what a program breaks, the other what the generator does.
    logits[:, -1:] = torch.maximum(of_rendered, of_drawings)
    probabilities = logits.sigmoid().numpy()
    features = nn.functional.normalize(pooled, dim=1).numpy()
    return Verdict({label: probabilities[:, i] for i, label in enumerate(LABELS)}, features)
