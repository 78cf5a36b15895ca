"""Quick Steering: the whole chain in one node."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io

from ..steering.directions.methods import LOCAL
from ..steering.sites import TEXT_KIND
from ..steering.vectors.build import build
from .apply import strength_input
from .capture import captured
from .comfy_files import changes, pair_names, pairs_path, problem
from .comfy_schema import schema
from .comfy_steering import with_entry
from .pairs import named_pairs
from .sockets import NamedPairs, Pairs, Vector

UNCONNECTED = object()
"""What stands where an input is given neither a value nor a link."""


class Quick(io.ComfyNode):
    """Pairs, capture, scores, vector and steering, all with defaults."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringQuick",
            display_name="Quick Steering",
            category="steering",
            description=(
                "Takes a concept out of a model in one node, in seconds: reads what the text encoder makes of its "
                "pairs, learns the map from prompts with the concept to those without, and applies it to prompts that "
                "hold the concept."
            ),
            inputs=[
                io.Model.Input("model", tooltip="Stable Diffusion 1, 2 or XL, or the pocket model."),
                io.Clip.Input("clip", tooltip="Its text encoder."),
                io.Combo.Input(
                    "concept",
                    options=pair_names(),
                    default="pocket/dog",
                    tooltip="Built-in pairs, or a file of models/steering_pairs; not read where pairs are connected.",
                ),
                strength_input("0 changes nothing, 1 means as in prompts without the concept; more is rarely of use."),
                Pairs.Input(
                    "pairs",
                    optional=True,
                    tooltip="Pairs in place of concept's, such as Write Prompt Pairs makes of a word.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The steered model; to a KSampler."),
                Vector.Output(display_name="VECTOR", tooltip="The vector; to Save Steering Vector if you like it."),
            ],
        )

    @classmethod
    def validate_inputs(cls, concept: str | None, pairs: object = UNCONNECTED) -> bool | str:
        """True, or a sentence with a remedy, in place of ComfyUI's check against the list; None comes over a link."""
        return pairs is not UNCONNECTED or problem(pairs_path, concept)

    @classmethod
    def fingerprint_inputs(cls, concept: str | None, **others: object) -> str:
        """Changes with the file of pairs, where it is read."""
        return "" if "pairs" in others else changes(pairs_path, concept, pair_names)

    @classmethod
    def execute(
        cls, model: ModelPatcher, clip: CLIP, concept: str, strength: float, pairs: NamedPairs | None = None
    ) -> io.NodeOutput:
        """The chain."""
        named = pairs or named_pairs(concept)
        text = captured(model, clip, named, sites=TEXT_KIND)
        vector = build(text, direction=LOCAL, time="constant")
        return io.NodeOutput(with_entry(model, vector.entry(strength=strength)), vector)
