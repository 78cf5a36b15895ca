"""One way of steering, as a value: how the vector is made and how it is applied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..directions.methods import LOCAL
from ..interventions.entry import usual_preset
from ..interventions.presets import get_preset
from ..schedule import NoiseSchedule
from ..sites import TEXT_KIND
from ..vectors.recommendation import Recommendation
from ..vectors.times import Time
from ..vectors.vector import SteeringVector

ALL = (0.0, 1.0)
"""The whole schedule, as shares of it."""
MAP_PRESET = "conditional"
"""How maps of the text embedding are applied."""
MAPS = ((LOCAL, 1), ("affine", 4), ("affine", 8), ("affine", 16))
"""Direction and rank of the maps of the text embedding that are tried."""


@dataclass(frozen=True)
class Recipe:
    """How a vector comes from a capture.

    Attributes:
        k: sites per step.
        direction: a name of `steering.directions.methods.DIRECTIONS`.
        rank: directions a site.
        selection: the rule that picks the k, see `steering.scores.selection.select`.
        time: one direction ``per-step``, or one ``constant`` in time.
        control: a control's name (`steering.study.plan.CONTROLS`), or nothing for the vector itself.
        draw: which of its draws: a number, or the other concept's name.
    """

    k: int
    direction: str = "mean"
    rank: int = 1
    selection: str = "per-step"
    time: Time = "per-step"
    control: str = ""
    draw: str = ""

    @classmethod
    def of_rank(cls, k: int, rank: int) -> Recipe:
        """The mean difference where one direction is wanted, the principal ones where several are."""
        return cls(k, "mean" if rank == 1 else "pca", rank)

    @classmethod
    def of_text(cls, direction: str = LOCAL, rank: int = 1) -> Recipe:
        """A map of the text embedding: the local one, or the affine one of a rank."""
        return cls(1, direction, rank, TEXT_KIND, "constant")

    @property
    def where(self) -> str:
        """``text``, or the number of sites a step."""
        return TEXT_KIND if self.selection == TEXT_KIND else str(self.k)

    @property
    def name(self) -> str:
        """Unique, and fit for a file's name."""
        usual = {"selection": "per-step", "time": "per-step", "control": "", "draw": ""}
        extra = [str(getattr(self, key)).replace(":", "_").replace(",", "+") for key in usual]
        unusual = [text for text, plain in zip(extra, usual.values(), strict=True) if text != plain]
        return "_".join([f"{self.direction}{self.rank}_k{self.k}", *unusual])


@dataclass(frozen=True)
class Setting:
    """One way of steering.

    Attributes:
        vector: how its vector is made, or the path of a vector file.
        preset: a name of `steering.interventions.presets.PRESETS`.
        strength: λ.
        window: first and last share of the schedule.
    """

    vector: Recipe | str
    preset: str
    strength: float
    window: tuple[float, float] = ALL

    @classmethod
    def of_map(cls, direction: str = LOCAL, rank: int = 1) -> Setting:
        """A map of the text embedding, as it is usually applied."""
        return cls(Recipe.of_text(direction, rank), MAP_PRESET, get_preset(MAP_PRESET).default_strength)

    @property
    def recipe(self) -> Recipe:
        """How its vector is made.

        Raises:
            TypeError: its vector is a file's.
        """
        if isinstance(self.vector, str):
            raise TypeError(f"the vector of {self.vector} was made elsewhere")
        return self.vector

    @classmethod
    def of_file(
        cls, path: Path, vector: SteeringVector, schedule: NoiseSchedule, strength: float | None, preset: str | None
    ) -> Setting:
        """A vector's file; None leaves strength, or preset and window, to what the file recommends."""
        entry = vector.entry(strength=strength, preset=preset)
        first, last = (schedule.sigma_to_percent(sigma) for sigma in entry.window)
        return cls(str(path), preset or usual_preset(vector), entry.strength, (first, last))

    def recommendation(self, schedule: NoiseSchedule) -> Recommendation:
        """It as a vector's file says it, in a model's noise levels."""
        first, last = (schedule.percent_to_sigma(share) for share in self.window)
        return Recommendation(self.preset, self.strength, None if self.window == ALL else (first, last))

    @property
    def name(self) -> str:
        """Unique among settings of one study, and readable."""
        parts = [f"{self.preset} {self.strength:g}"]
        if isinstance(self.vector, str):
            parts.append(Path(self.vector).name)
        else:
            text = f"{TEXT_KIND} {self.vector.direction}"
            parts.append(text if self.vector.where == TEXT_KIND else f"k={self.vector.k}")
            parts += [f"rank {self.vector.rank}"] * (self.vector.rank > 1)
            parts += [self.vector.time] * (self.vector.time == "constant" and self.vector.where != TEXT_KIND)
        parts += [f"{self.window[0]:g}-{self.window[1]:g}"] * (self.window != ALL)
        return " ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Preset, strength, number of sites and rank; where the text embedding is moved that, and by what direction."""
        about = {"preset": self.preset, "strength": self.strength, "k": self.recipe.k, "rank": self.recipe.rank}
        moved = {"sites": TEXT_KIND, "direction": self.recipe.direction}
        return about | (moved if self.recipe.where == TEXT_KIND else {})
