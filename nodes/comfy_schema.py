"""Schemas as newer frontends can show them, found by other words and with inputs folded away; and links' types.

ComfyUI takes the first two from 0.4 on; older versions do not know the fields, and leave them alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from comfy_api.latest import io
from comfy_execution.validation import validate_node_input

ALIASES = {
    "SteeringApply": ("remove concept", "concept erasure", "unlearn", "suppress", "activation steering"),
    "SteeringQuick": ("remove concept", "concept erasure", "unlearn", "activation steering"),
    "SteeringLoadPocket": ("demo model", "tiny model"),
    "SteeringLoadPairs": ("contrastive prompts", "prompt dataset"),
    "SteeringPairsFromText": ("contrastive prompts",),
    "SteeringWritePairs": ("contrastive prompts", "from a word", "prompt generator"),
    "SteeringCapture": ("record activations", "hidden states"),
    "SteeringScore": ("LayerNavigator", "layer importance", "steerability"),
    "SteeringBuild": ("steering vector", "concept direction", "contrastive PCA", "mean difference"),
    "SteeringCombine": ("vector arithmetic", "Gram-Schmidt"),
    "SteeringExportLora": ("bake LoRA", "save LoRA", "concept LoRA"),
    "SteeringMap": ("attention map", "heat map", "saliency"),
    "SteeringSweep": ("strength grid", "XY plot"),
    "SteeringLabelledGrid": ("contact sheet", "XY plot"),
    "SteeringTune": ("search", "optimise", "hyperparameters", "Optuna"),
    "SteeringEvaluate": ("benchmark", "measure", "clean removal", "CLIP score"),
}
"""Node id -> words that a search finds it by, besides its name."""
FOLDED = {
    "SteeringApply": ("start_percent", "end_percent"),
    "SteeringBuild": ("alpha", "components"),
    "SteeringCapture": ("sampler_name", "scheduler", "capture_seed", "cache"),
    "SteeringExportLora": ("format", "approximate"),
    "SteeringLoadVector": ("leave_out",),
    "SteeringMap": ("picture", "vector_number"),
    "SteeringTune": ("exportable", "batch"),
    "SteeringEvaluate": ("batch",),
}
"""Node id -> inputs that most graphs leave as they are."""


def schema(**about: Any) -> io.Schema:
    """``io.Schema`` of these fields, with its words for a search and its folded inputs."""
    made = io.Schema(**about)
    made.search_aliases = list(ALIASES.get(made.node_id, ()))
    for entry in made.inputs:
        if entry.id in FOLDED.get(made.node_id, ()):
            entry.advanced = True
    return made


def mistyped(inputs: Iterable[Any], linked: Mapping[str, str]) -> str | None:
    """What ComfyUI would say of links of a wrong type, which it leaves to nodes that ask for the links' types."""
    takes = {entry.id: entry.get_io_type() for entry in inputs}
    for name, kind in linked.items():
        if not validate_node_input(kind, takes[name]):
            return f"{name} takes {takes[name]}, and {kind} is connected"
    return None
