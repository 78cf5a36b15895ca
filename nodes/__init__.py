"""The ComfyUI nodes: thin, and the only part of the pack that knows ComfyUI."""

from comfy_api.latest import ComfyExtension, io

from .activations import LoadActivations, SaveActivations
from .apply import Apply, SteeringOptions
from .build import Build
from .capture import Capture
from .combine import Combine
from .comfy_files import register
from .evaluate import Evaluate
from .lora import ExportLora
from .map import SteeringMap
from .pairs import LoadPairs, PairsFromText, WritePairs
from .pocket import LoadPocket
from .quick import Quick
from .run import Report, SteeredKSampler
from .score import Score
from .sweep import LabelledGrid, Sweep
from .tune import Tune
from .vectors import LoadVector, SaveVector

NODES: list[type[io.ComfyNode]] = [
    LoadPocket,
    LoadVector,
    Apply,
    SteeringOptions,
    Quick,
    LoadPairs,
    PairsFromText,
    WritePairs,
    Capture,
    SaveActivations,
    LoadActivations,
    Score,
    Build,
    SaveVector,
    SteeredKSampler,
    Report,
    Sweep,
    LabelledGrid,
    Combine,
    ExportLora,
    SteeringMap,
    Tune,
    Evaluate,
]
"""Every node of the pack, in menu order."""


class SteeringExtension(ComfyExtension):
    """What ComfyUI asks for the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """The nodes."""
        register()
        return NODES
