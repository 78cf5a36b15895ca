"""How the directions of a vector follow the noise level."""

from __future__ import annotations

from typing import Literal, get_args

Time = Literal["per-step", "constant"]
"""One direction for every noise level of the capture, or one for all of them: the average over the active ones."""
TIMES = get_args(Time)
