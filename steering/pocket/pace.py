"""How a training that has so many minutes goes: how much of them is over, and the learning rate by that share."""

from __future__ import annotations

import math
import time


class Clock:
    """The time given to a training, of which an earlier sitting may have used some."""

    def __init__(self, minutes: float, elapsed: float = 0.0) -> None:
        self.minutes, self.before, self.started = minutes, elapsed, time.monotonic()

    @property
    def elapsed(self) -> float:
        """Minutes of training so far, earlier sittings counted in."""
        return self.before + (time.monotonic() - self.started) / 60

    @property
    def share(self) -> float:
        """The share of the time that is over, at most 1."""
        return min(1.0, self.elapsed / self.minutes)


def cosine(share: float, peak: float, warm: float = 0.02) -> float:
    """The rate at a share of the run: up to the peak over the share ``warm``, if any, then a cosine to zero."""
    return peak * min(share / warm if warm else 1.0, 0.5 * (1 + math.cos(math.pi * share)))


def trapezoid(share: float, peak: float, cooling: float, warm: float = 0.01) -> float:
    """The rate at a share of the run: up to the peak, constant, then linear to zero over the last ``cooling``."""
    return peak * min(1.0, share / warm + 0.01, (1 - share) / cooling if cooling else 1.0)
