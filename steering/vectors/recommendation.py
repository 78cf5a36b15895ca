"""How a vector is best applied, as its file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from ..checks import check_finite, check_mapping
from ..errors import SteeringError

MOST_STRENGTH = 100.0
"""The largest strength that may be recommended or asked for; the source study's is 2.5."""


@dataclass(frozen=True)
class Recommendation:
    """How a vector is best applied; what is None is left open.

    Attributes:
        preset: a name of `steering.interventions.presets.PRESETS`.
        strength: λ.
        window: first and last noise level at which it acts; infinity is the very start.
    """

    preset: str | None = None
    strength: float | None = None
    window: tuple[float, float] | None = None

    @classmethod
    def from_json(cls, value: Any) -> Recommendation:
        """What `to_json` made, checked; raises SteeringError naming what is wrong. Other keys are left alone."""
        advice = check_mapping(value, "the recommended setting")
        if not isinstance(advice.get("preset", ""), str):
            raise SteeringError(f"the recommended preset {advice['preset']!r} must be a name")
        strength = advice.get("strength")
        if "strength" in advice:
            strength = check_finite(strength, "the recommended strength", MOST_STRENGTH)
        return cls(advice.get("preset"), strength, _window(advice["window"]) if "window" in advice else None)

    def to_json(self) -> Mapping[str, Any]:
        """What is not left open; a window from the very start begins with null."""
        whole: dict[str, Any] = {"preset": self.preset, "strength": self.strength}
        if self.window is not None:
            whole["window"] = [None if self.window[0] == inf else self.window[0], self.window[1]]
        return {key: value for key, value in whole.items() if value is not None}


def _window(window: Any) -> tuple[float, float]:
    if not isinstance(window, list | tuple) or len(window) != 2:
        raise SteeringError(f"the recommended window {window!r} must be a first and a last noise level")
    name = "the recommended window's {} noise level"
    first = inf if window[0] is None else check_finite(window[0], name.format("first"))
    return first, check_finite(window[1], name.format("last"))
