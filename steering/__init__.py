"""Activation Steering: find where a diffusion model holds a concept, and steer it while it samples.

    import steering
    model  = steering.load_model("pocket")
    acts   = steering.capture(model, "dog", sites="text")
    vector = steering.build(acts, direction="kernel", time="constant")
    with steering.steer(model, vector):
        images = model.generate(["a dog on the beach"], seed=0)

Needs torch, numpy and safetensors; diffusers only once a model is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import SteeringError
from .version import __version__

if TYPE_CHECKING:
    from .activations.capture import capture
    from .activations.store import Activations
    from .concepts.pairs import Pair, load_pairs, parse_pairs
    from .interventions.entry import Entry
    from .interventions.presets import PRESETS, EditSettings
    from .interventions.steer import steer
    from .lora.bake import bake, linear_layers, linearised, obstacles
    from .models.call import Call
    from .models.diffusion import DiffusionModel
    from .models.loading import load_model
    from .models.sampling import CaptureSettings
    from .schedule import NoiseSchedule
    from .scores.navigator import Scores, score
    from .scores.selection import select
    from .sites import SD15_SITES, Site, find_sites
    from .vectors.build import build
    from .vectors.calibration import calibrate, with_thresholds
    from .vectors.combine import combine
    from .vectors.similarity import cosines
    from .vectors.site import SiteVector
    from .vectors.vector import SteeringVector, recommend

_WHERE = {
    "capture": "activations.capture",
    "Activations": "activations.store",
    "Pair": "concepts.pairs",
    "load_pairs": "concepts.pairs",
    "parse_pairs": "concepts.pairs",
    "Entry": "interventions.entry",
    "PRESETS": "interventions.presets",
    "EditSettings": "interventions.presets",
    "steer": "interventions.steer",
    "bake": "lora.bake",
    "linear_layers": "lora.bake",
    "linearised": "lora.bake",
    "obstacles": "lora.bake",
    "Call": "models.call",
    "DiffusionModel": "models.diffusion",
    "load_model": "models.loading",
    "CaptureSettings": "models.sampling",
    "NoiseSchedule": "schedule",
    "Scores": "scores.navigator",
    "score": "scores.navigator",
    "select": "scores.selection",
    "SD15_SITES": "sites",
    "Site": "sites",
    "find_sites": "sites",
    "build": "vectors.build",
    "calibrate": "vectors.calibration",
    "with_thresholds": "vectors.calibration",
    "combine": "vectors.combine",
    "cosines": "vectors.similarity",
    "SiteVector": "vectors.site",
    "SteeringVector": "vectors.vector",
    "recommend": "vectors.vector",
}
"""Name -> module, imported when it is first asked for, so that the command line answers before torch is loaded."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "PRESETS",
    "SD15_SITES",
    "Activations",
    "Call",
    "CaptureSettings",
    "DiffusionModel",
    "EditSettings",
    "Entry",
    "NoiseSchedule",
    "Pair",
    "Scores",
    "Site",
    "SiteVector",
    "SteeringError",
    "SteeringVector",
    "__version__",
    "bake",
    "build",
    "calibrate",
    "capture",
    "combine",
    "cosines",
    "find_sites",
    "linear_layers",
    "linearised",
    "load_model",
    "load_pairs",
    "obstacles",
    "parse_pairs",
    "recommend",
    "score",
    "select",
    "steer",
    "with_thresholds",
]
