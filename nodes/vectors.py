"""Load Steering Vector, and Save Steering Vector."""

import json
from functools import partial

from comfy_api.latest import io

from ..steering.vectors.vector import SteeringVector
from .comfy_files import VECTORS, changes, names, new_file, problem, vector_path
from .comfy_schema import schema
from .sockets import Vector


class LoadVector(io.ComfyNode):
    """A steering vector from models/steering_vectors, or one that came with the pack."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringLoadVector",
            display_name="Load Steering Vector",
            category="steering",
            description="A steering vector from models/steering_vectors, or one of those that come with the pack.",
            inputs=[
                io.Combo.Input(
                    "vector_name", options=names(VECTORS), tooltip="A .safetensors file; it fits one family of models."
                ),
                io.String.Input(
                    "leave_out",
                    default="",
                    optional=True,
                    tooltip="Kinds (attn1, attn2, ff, resnet) or sites of the vector that are not steered, separated "
                    "by commas: where another node changes them, as HyperTile does attn1.",
                ),
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
    def validate_inputs(cls, vector_name: str | None) -> bool | str:
        """True, or a sentence with a remedy, in place of ComfyUI's check against the list."""
        return problem(vector_path, vector_name)

    @classmethod
    def fingerprint_inputs(cls, vector_name: str | None, leave_out: str | None = "") -> str:
        """Changes with the file, so that a rebuilt vector is read again."""
        return f"{changes(vector_path, vector_name, partial(names, VECTORS))} {leave_out}"

    @classmethod
    def execute(cls, vector_name: str, leave_out: str = "") -> io.NodeOutput:
        """Read and check the file."""
        vector = SteeringVector.load(vector_path(vector_name))
        vector = vector.without(leave_out) if leave_out.strip() else vector
        return io.NodeOutput(vector, vector.entry().strength, json.dumps(dict(vector.metadata), indent=1))


class SaveVector(io.ComfyNode):
    """A steering vector into models/steering_vectors."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringSaveVector",
            display_name="Save Steering Vector",
            category="steering",
            description="Writes the vector into models/steering_vectors, never over another file, and passes it on.",
            inputs=[
                Vector.Input("vector", tooltip="From Build Steering Vector."),
                io.String.Input(
                    "filename_prefix",
                    default="my_concept",
                    tooltip="Name without ending; where it is taken, a number follows. Subfolders are fine.",
                ),
            ],
            outputs=[
                Vector.Output(display_name="VECTOR", tooltip="The same vector; to Apply Steering."),
                io.String.Output(display_name="path", tooltip="The file that was written."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, vector: SteeringVector, filename_prefix: str) -> io.NodeOutput:
        """Write it whole or not at all."""
        path = new_file(VECTORS, filename_prefix)
        vector.save(path)
        return io.NodeOutput(vector, str(path), ui={"text": (f"saved as {path.name}",)})
