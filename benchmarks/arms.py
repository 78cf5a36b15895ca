"""What the comparisons share: prompts of one concept drawn with and without a vector, and what was lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import steering
from steering.concepts.prompts import ROLES, Prompt, load_concept, load_prompts, take
from steering.evaluate.metrics import judged
from steering.evaluate.statistics import estimate, upper_bound
from steering.interventions.steer import steer
from steering.study.vectors import captured

SEED = {"dev": 10_000, "test": 0}


@dataclass(frozen=True)
class Outcome:
    """One value a prompt.

    Attributes:
        presence: of the concept on target prompts.
        sibling: points that sibling prompts lost.
        unrelated: points that unrelated prompts lost.
    """

    presence: np.ndarray
    sibling: np.ndarray
    unrelated: np.ndarray

    @property
    def total(self) -> float:
        """Presence left and what was lost, a gain counting as none."""
        return float(self.presence.mean()) + self.cost

    @property
    def cost(self) -> float:
        """What siblings and unrelated prompts lost together, a gain counting as none."""
        return max(float(self.sibling.mean()), 0.0) + max(float(self.unrelated.mean()), 0.0)

    def cells(self) -> str:
        """Presence with its interval, losses with their one-sided bounds, as cells of a table."""
        losses = (f"{part.mean():.1f} (≤ {upper_bound(part):.1f})" for part in (self.sibling, self.unrelated))
        return f"{estimate(self.presence)} | {' | '.join(losses)}"


class Arms:
    """Prompts of one concept and split on the embedded model."""

    def __init__(self, model: steering.DiffusionModel, name: str, split: str, counts: tuple[int, int, int]) -> None:
        prompts = load_prompts(name, split)
        self.model, self.concept, self.seed = model, load_concept(name), SEED[split]
        self.prompts: list[Prompt] = [p for role, n in zip(ROLES, counts, strict=True) for p in take(prompts, role, n)]
        self.roles = np.array([prompt.role for prompt in self.prompts])
        self.original = self._measured()

    def _measured(self) -> dict[str, np.ndarray]:
        texts = [prompt.text for prompt in self.prompts]
        batch = 400 if self.model.device.type == "cuda" else 25
        return judged(self.model.generate(texts, seed=self.seed, batch=batch), self.prompts, self.concept)

    def unsteered(self) -> Outcome:
        """The original pictures."""
        return self._outcome(self.original)

    def steered(self, vector: steering.SteeringVector, strength: float | None, preset: str | None) -> Outcome:
        """With a vector; None leaves strength or preset to its file."""
        with steer(self.model, vector, strength=strength, preset=preset):
            return self._outcome(self._measured())

    def _outcome(self, made: dict[str, np.ndarray]) -> Outcome:
        loss = self.original["kept"] - made["kept"]
        parts = (made["presence"][self.roles == "target"], *(loss[self.roles == role] for role in ROLES[1:]))
        return Outcome(*parts)


def capture_of(model: steering.DiffusionModel, name: str, folder: Path, batch: int = 10) -> steering.Activations:
    """The capture of a concept's pairs, from the file of an earlier run where it fits."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = steering.CaptureSettings(batch=batch)
    return captured(model, steering.load_pairs(f"pocket/{name}"), settings, folder / f"{name}.safetensors", name)
