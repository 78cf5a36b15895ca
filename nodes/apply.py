"""Apply Steering."""

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..steering.interventions import PRESETS
from ..steering.steer import make_entry
from ..steering.vector import SteeringVector
from .comfy_unet import with_entry
from .vectors import Vector

RECOMMENDED = "recommended"
"""The preset that the vector's file recommends."""


def _percent(name: str, default: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=default, min=0.0, max=1.0, step=0.01, tooltip=tooltip)


class Apply(io.ComfyNode):
    """A model that steers while it samples."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return io.Schema(
            node_id="SteeringApply",
            display_name="Apply Steering",
            category="steering",
            description=(
                "Takes the vector's concept out of what the model draws, while it draws. The model given stays as it "
                "is; several Apply nodes in a row act together."
            ),
            inputs=[
                io.Model.Input("model", tooltip="A model of the family that the vector was made for."),
                Vector.Input("vector", tooltip="From Load Steering Vector."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip=(
                        "0 changes nothing at all, bit for bit; useful from 0.5 to 4. For preset study 1 removes the "
                        "direction and 2.5 is the study's own; negative strengths push the other way."
                    ),
                ),
                io.Combo.Input(
                    "preset",
                    options=[RECOMMENDED, *PRESETS],
                    default=RECOMMENDED,
                    tooltip=(
                        "How tokens are moved. recommended: as the vector's file says, else precise. study: every "
                        "token, plain projection. casteer: only tokens that hold the concept. precise: those, down to "
                        "the level of pictures without it. selective: only tokens far above that level."
                    ),
                ),
                _percent(
                    "start_percent",
                    0.0,
                    "Where steering starts: share of the noise schedule's timesteps, not of steps; 0: at once.",
                ),
                _percent("end_percent", 1.0, "Where steering ends, in the same share; 1: at the end."),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The steered model; to a KSampler.")],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        vector: SteeringVector,
        strength: float,
        preset: str,
        start_percent: float,
        end_percent: float,
    ) -> io.NodeOutput:
        """Clone, add the entry, return."""
        if start_percent > end_percent:
            raise ValueError(f"start_percent {start_percent} lies after end_percent {end_percent}; swap them")
        sampling = model.get_model_object("model_sampling")
        window = (float(sampling.percent_to_sigma(start_percent)), float(sampling.percent_to_sigma(end_percent)))
        entry = make_entry(vector, strength, None if preset == RECOMMENDED else preset, window=window)
        return io.NodeOutput(with_entry(model, entry))
