"""What the stages of a study return: a concept prepared, a choice, what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..vectors.vector import SteeringVector
from .choice import Outcome
from .measurements import Measurements
from .plan import Arm
from .setting import Setting
from .subject import Subject
from .vectors import Vectors


@dataclass(frozen=True, eq=False)
class Prepared:
    """A concept that was captured and scored.

    Attributes:
        subject: the concept.
        vectors: its vectors.
    """

    subject: Subject
    vectors: Vectors


@dataclass(frozen=True)
class Choice:
    """What dev prompts chose.

    Attributes:
        chosen: the setting.
        study_k: the number of sites for the projection preset.
        dev: the compared settings, on a few dev prompts.
        finals: the finalists, on all of them.
    """

    chosen: Setting
    study_k: int
    dev: tuple[Outcome, ...]
    finals: tuple[Outcome, ...]


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured of one concept.

    Attributes:
        subject: the concept.
        arms: the reported arms.
        measurements: what was measured in each, by name.
        vectors: its vectors, where they were made here.
        choice: what dev prompts chose, where they were asked.
    """

    subject: Subject
    arms: Sequence[Arm]
    measurements: Mapping[str, Measurements]
    vectors: Vectors | None = None
    choice: Choice | None = None

    def vector(self, arm: Arm) -> SteeringVector | None:
        """The vector of an arm."""
        return vector_of(arm, self.vectors)


def vector_of(arm: Arm, vectors: Vectors | None) -> SteeringVector | None:
    """An arm's vector, read from its file or made by its recipe; None where it does not steer."""
    if arm.setting is None:
        return None
    if isinstance(arm.setting.vector, str):
        return SteeringVector.load(arm.setting.vector)
    if vectors is None:
        raise TypeError(f"arm {arm.name} has a recipe and no capture to follow it with")
    return vectors.get(arm.setting.vector)
