"""The pack's own socket types. Their names, like those of the nodes, are for ever."""

from dataclasses import dataclass

from comfy_api.latest import io

from ..steering.concepts.pairs import Pair
from ..steering.interventions.entry import Entry
from ..steering.interventions.observation import Observation

Pairs = io.Custom("STEERING_PAIRS")
Activations = io.Custom("STEERING_ACTIVATIONS")
Scores = io.Custom("STEERING_SCORES")
Vector = io.Custom("STEERING_VECTOR")
Options = io.Custom("STEERING_OPTIONS")
Run = io.Custom("STEERING_RUN")


@dataclass(frozen=True)
class NamedPairs:
    """What a STEERING_PAIRS socket carries."""

    concept: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, eq=False)
class SteeredRun:
    """What a STEERING_RUN socket carries: the entries of the model, the noise levels of the run, what was seen."""

    entries: tuple[Entry, ...]
    sigmas: tuple[float, ...]
    observations: tuple[Observation, ...]
