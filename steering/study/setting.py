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
    def is_text(self) -> bool:
        """Whether the text embedding is moved, and not the UNet's blocks."""
        return self.selection == TEXT_KIND

    @property
    def words(self) -> list[str]:
        """What tells it from any other, readable: direction, selection and time only where they are not the usual."""
        if self.is_text:
            return [f"{TEXT_KIND} {self.direction}", *[f"rank {self.rank}"] * (self.rank > 1)]
        direction = [self.direction] * (self.direction != Recipe.of_rank(self.k, self.rank).direction)
        return [f"k={self.k}", *[f"rank {self.rank}"] * (self.rank > 1), *direction, *self._unusual]

    @property
    def name(self) -> str:
        """Unique, and fit for a file's name."""
        unusual = [text.replace(":", "_").replace(",", "+") for text in self._unusual]
        return "_".join([f"{self.direction}{self.rank}_k{self.k}", *unusual])

    @property
    def _unusual(self) -> list[str]:
        """Selection, time, control and draw, where they are not what they are if not given."""
        parts = ("selection", "time", "control", "draw")
        return [getattr(self, part) for part in parts if getattr(self, part) != getattr(Recipe, part)]


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
        """What tells it from any other setting, readable: what is usual is left out."""
        where = [Path(self.vector).name] if isinstance(self.vector, str) else self.vector.words
        window = [f"{self.window[0]:g}-{self.window[1]:g}"] * (self.window != ALL)
        return " ".join([f"{self.preset} {self.strength:g}", *where, *window])

    def to_json(self) -> dict[str, Any]:
        """Preset, strength, number of sites, rank, direction, and by what rule the sites are picked."""
        recipe = self.recipe
        made = {"k": recipe.k, "rank": recipe.rank, "sites": recipe.selection, "direction": recipe.direction}
        return {"preset": self.preset, "strength": self.strength, **made}
