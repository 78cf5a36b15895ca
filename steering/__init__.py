"""Activation Steering: find where a diffusion model holds a concept, and steer it while it samples.

    import steering
    model  = steering.load_model("pocket")
    acts   = steering.capture(model, steering.load_pairs("dog"))
    vector = steering.build(acts, scores=steering.score(acts), top_k=5)
    with steering.steer(model, vector, strength=1.0, preset="precise"):
        images = model.generate(["a dog on the beach"], seed=0)

Names are imported on first use: the node pack needs torch and safetensors only, the command line
diffusers as well.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activations import Activations
    from .build import build, recommend
    from .diffusion import CaptureSettings, DiffusionModel, calibrate, capture, load_model
    from .interventions import PRESETS, Settings
    from .navigator import Scores, score, select
    from .pairs import Pair, load_pairs, parse_pairs
    from .schedule import NoiseSchedule
    from .sites import SD15_SITES, Site
    from .steer import Entry, make_entry, steer
    from .vector import SteeringVector

__version__ = "0.1.0"

_HOMES = {
    "Activations": "activations",
    "build": "build",
    "recommend": "build",
    "CaptureSettings": "diffusion",
    "DiffusionModel": "diffusion",
    "calibrate": "diffusion",
    "capture": "diffusion",
    "load_model": "diffusion",
    "PRESETS": "interventions",
    "Settings": "interventions",
    "Scores": "navigator",
    "score": "navigator",
    "select": "navigator",
    "Pair": "pairs",
    "load_pairs": "pairs",
    "parse_pairs": "pairs",
    "NoiseSchedule": "schedule",
    "SD15_SITES": "sites",
    "Site": "sites",
    "Entry": "steer",
    "make_entry": "steer",
    "steer": "steer",
    "SteeringVector": "vector",
}
"""Public name -> the module it lives in."""

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    # A submodule of the same name (build, steer) is bound on import; the function must win.
    globals()[name] = value
    return value
