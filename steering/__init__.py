"""Activation Steering: find where a diffusion model holds a concept, and steer it while it samples.

    import steering
    model  = steering.load_model("pocket")
    acts   = steering.capture(model, steering.load_pairs("dog"))
    vector = steering.build(acts, scores=steering.score(acts), top_k=5)
    with steering.steer(model, vector, strength=1.0, preset="precise"):
        images = model.generate(["a dog on the beach"], seed=0)

Importing this needs torch, numpy and safetensors; diffusers only once a model is loaded.
"""

from .activations import Activations
from .bake import bake, linear_layers, linearised, obstacles
from .build import build, recommend, with_thresholds
from .capture import CaptureSettings, calibrate, capture
from .combine import combine, cosines
from .diffusion import DiffusionModel, load_model
from .interventions import PRESETS, Settings
from .navigator import Scores, score, select
from .pairs import Pair, load_pairs, parse_pairs
from .schedule import NoiseSchedule
from .sites import SD15_SITES, Site, find_sites
from .steer import Call, Entry, make_entry, steer
from .vector import SiteVector, SteeringVector
from .version import __version__

__all__ = [
    "PRESETS",
    "SD15_SITES",
    "Activations",
    "Call",
    "CaptureSettings",
    "DiffusionModel",
    "Entry",
    "NoiseSchedule",
    "Pair",
    "Scores",
    "Settings",
    "Site",
    "SiteVector",
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
    "make_entry",
    "obstacles",
    "parse_pairs",
    "recommend",
    "score",
    "select",
    "steer",
    "with_thresholds",
]
