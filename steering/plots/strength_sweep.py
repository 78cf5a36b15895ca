"""The strength sweep: one prompt and seed at several strengths, with what each costs written under it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..concepts.prompts import evaluated, load_concept
from ..errors import SteeringError
from ..evaluate.metrics import root_mean_square
from ..families import family_named
from ..pocket.backgrounds import SIZE
from ..pocket.judge import LABELS, judge
from .pictures import labelled_grid

JUDGED = ("presence", "debris")
"""What the embedded judge says under a picture."""


@dataclass(frozen=True, eq=False)
class StrengthSweep:
    """Pictures of P prompts at L strengths.

    Attributes:
        strengths: L strengths, the first one's pictures being what the others are compared with.
        pictures: ``uint8 [P, L, H, W, 3]``.
        judged: ``presence`` of the concept and ``debris``, 0 to 100 ``[P, L]`` each; empty where nobody judged.
        drift: root mean square difference from the first picture in grey levels ``[P, L]``.
    """

    strengths: tuple[float, ...]
    pictures: np.ndarray
    judged: Mapping[str, np.ndarray]
    drift: np.ndarray

    def __str__(self) -> str:
        lines = [f"{'strength':>10}" + "".join(f"{value:>8g}" for value in self.strengths)]
        for p, drift in enumerate(self.drift):
            for name, values in self.judged.items():
                lines.append(f"{name:>10}" + "".join(f"{value:>8.1f}" for value in values[p]))
            lines.append(f"{'drift':>10}" + "".join(f"{value:>8.1f}" for value in drift))
        return "\n".join(lines)

    def picture(self) -> np.ndarray:
        """All of it as one picture ``uint8 [H', W', 3]``: a row a prompt."""
        count, steps = self.drift.shape
        labels = [f"strength {value:g}" for value in self.strengths] * count
        notes = notes_of({name: values.ravel() for name, values in self.judged.items()}, self.drift.ravel())
        return labelled_grid(list(self.pictures.reshape(-1, *self.pictures.shape[2:])), labels, steps, notes)


def draw_sweep(
    draw: Callable[[float], np.ndarray], strengths: Sequence[float], labels: tuple[str, ...] = ()
) -> StrengthSweep:
    """Draw and measure a sweep.

    Args:
        draw: pictures ``uint8 [P, H, W, 3]`` of the prompts at a strength, always from the same seeds.
        strengths: the strengths; the first should be 0, the original.
        labels: the embedded judge's labels that are the concept; none leaves presence and debris out.
    """
    pictures = np.stack([draw(strength) for strength in strengths], axis=1)
    flat = pictures.reshape(-1, *pictures.shape[2:])
    shape = pictures.shape[:2]
    judged = {name: values.reshape(shape) for name, values in judged_of(flat, labels).items()}
    drift = root_mean_square(flat, np.repeat(pictures[:, 0], shape[1], axis=0)).reshape(shape)
    return StrengthSweep(tuple(strengths), pictures, judged, drift)


def judge_labels(concept: str, family: str) -> tuple[str, ...]:
    """The embedded judge's labels that mean a concept; none for other models, or for what it does not know."""
    if not family_named(family).is_embedded:
        return ()
    if concept in evaluated(family):
        return load_concept(concept, family).judge
    return (concept,) if concept in LABELS else ()


def judged_of(pictures: np.ndarray, labels: tuple[str, ...]) -> dict[str, np.ndarray]:
    """``presence`` and ``debris`` by the embedded judge ``[N]``, 0 to 100; nothing without labels or of other sizes."""
    if not labels or pictures.shape[1:3] != (SIZE, SIZE):
        return {}
    verdict = judge(pictures)
    return {"presence": verdict.presence(labels), "debris": verdict.debris}


def notes_of(judged: Mapping[str, np.ndarray], drift: np.ndarray) -> list[str]:
    """What is written under each picture."""
    parts = {name: [f"{value:.0f}" for value in values] for name, values in judged.items()}
    parts["drift"] = [f"{value:.1f}" for value in drift]
    return ["\n".join(f"{name} {values[i]}" for name, values in parts.items()) for i in range(len(drift))]


def parse_strengths(text: str) -> list[float]:
    """Numbers separated by commas, spaces or lines.

    Raises:
        SteeringError: none, or something that is no finite number.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        strengths = [float(word) for word in words]
    except ValueError:
        strengths = []
    if not strengths or not all(math.isfinite(value) for value in strengths):
        raise SteeringError(f"strengths {text!r} must be numbers separated by commas, such as 0, 1, 2.5")
    return strengths
