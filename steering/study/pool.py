"""Units of work and who does them: this process, one after the other, or workers (`steering.study.cluster`).

A unit is a value that says everything that decides its result, does not touch any file, and may be done twice. What
comes back is kept by whoever asked, so workers need no folder in common, and a unit is done when its file is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..evaluate.metrics import Metric
from ..models.diffusion import DiffusionModel
from ..models.sampling import Progress


@dataclass(frozen=True, eq=False)
class Bench:
    """What units of work are done with.

    Attributes:
        model: draws and is captured.
        metrics: measure pictures.
    """

    model: DiffusionModel
    metrics: Sequence[Metric]

    def metric(self, name: str) -> Metric:
        """The metric of a name."""
        return next(metric for metric in self.metrics if metric.name == name)


class Task(Protocol):
    """A unit of work, which another process can be sent."""

    @property
    def rows(self) -> int:
        """UNet rows that it costs."""
        ...

    def do(self, bench: Bench, progress: Progress) -> Any:
        """Its result, which can be sent back."""
        ...


Tasks = Mapping[str, Callable[[], Task]]
"""Units of work by their names; each is made when its turn comes, since it may hold pictures."""
Keep = Callable[[str, Any], None]
"""What becomes of a result: called with the unit's name."""


class Pool(Protocol):
    """Whoever does units of work."""

    def do(self, bench: Bench, tasks: Tasks, keep: Keep, progress: Progress) -> None:
        """Do all units and keep every result, in whatever order; ``bench`` is this process's own."""
        ...


class Alone:
    """This process, one unit after the other."""

    def do(self, bench: Bench, tasks: Tasks, keep: Keep, progress: Progress) -> None:
        """See `Pool`."""
        for name, task in tasks.items():
            keep(name, task().do(bench, progress))


ALONE = Alone()
