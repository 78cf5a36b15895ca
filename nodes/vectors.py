"""Load Steering Vector."""

import json

from comfy_api.latest import io

from ..steering.steer import make_entry
from ..steering.vector import SteeringVector
from .comfy_files import vector_names, vector_path

Vector = io.Custom("STEERING_VECTOR")


class LoadVector(io.ComfyNode):
    """A steering vector from models/steering_vectors, or one that came with the pack."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return io.Schema(
            node_id="SteeringLoadVector",
            display_name="Load Steering Vector",
            category="steering",
            description="A steering vector from models/steering_vectors, or one of those that come with the pack.",
            inputs=[
                io.Combo.Input(
                    "vector_name", options=vector_names(), tooltip="A .safetensors file; it fits one family of models."
                )
            ],
            outputs=[
                Vector.Output(display_name="VECTOR", tooltip="To Apply Steering."),
                io.Float.Output(
                    display_name="suggested_strength",
                    tooltip="Strength that the vector was tuned to, for the preset that it was tuned with.",
                ),
                io.String.Output(
                    display_name="provenance", tooltip="What it was made from, as JSON; show it with Preview Any."
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, vector_name: str) -> str:
        """Changes with the file, so that a rebuilt vector is read again."""
        state = vector_path(vector_name).stat()
        return f"{state.st_mtime_ns}:{state.st_size}"

    @classmethod
    def execute(cls, vector_name: str) -> io.NodeOutput:
        """Read and check the file."""
        vector = SteeringVector.load(vector_path(vector_name))
        return io.NodeOutput(vector, make_entry(vector).strength, json.dumps(dict(vector.metadata), indent=1))
