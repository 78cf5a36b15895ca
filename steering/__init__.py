"""Activation Steering: find where a diffusion model holds a concept, and steer it while it samples.

    import steering
    model  = steering.load_model("pocket")
    acts   = steering.capture(model, "dog", sites="text")
    vector = steering.build(acts, direction="kernel", time="constant")
    with steering.steer(model, vector):
        images = model.generate(["a dog on the beach"], seed=0)

Importing this needs torch, numpy and safetensors; diffusers only once a model is loaded.
"""

from .activations.capture import capture
from .activations.store import Activations
from .concepts.pairs import Pair, load_pairs, parse_pairs
from .errors import SteeringError
from .interventions.entry import Entry
from .interventions.presets import PRESETS, Settings
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
