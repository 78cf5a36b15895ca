"""Save Activations and Load Activations: captures go between graphs and the command line."""

from functools import partial

from comfy_api.latest import io

from ..steering.activations.store import Activations as CapturedActivations
from .capture import summary
from .comfy_files import ACTIVATIONS, activations_path, changes, names, new_file, problem
from .comfy_schema import schema
from .sockets import Activations


class SaveActivations(io.ComfyNode):
    """A capture into models/steering_activations."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringSaveActivations",
            display_name="Save Activations",
            category="steering",
            description="Writes a capture into models/steering_activations, never over another file, and passes it on.",
            inputs=[
                Activations.Input("activations", tooltip="From Capture Activations."),
                io.String.Input(
                    "filename_prefix",
                    default="my_capture",
                    tooltip="Name without ending; where it is taken, a number follows. Large: 700 MB for SD 1.5.",
                ),
            ],
            outputs=[
                Activations.Output(display_name="ACTIVATIONS", tooltip="The same capture."),
                io.String.Output(display_name="path", tooltip="The file; `steering score` and `build` read it."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, activations: CapturedActivations, filename_prefix: str) -> io.NodeOutput:
        """Write it whole or not at all."""
        path = new_file(ACTIVATIONS, filename_prefix)
        activations.save(path)
        return io.NodeOutput(activations, str(path), ui={"text": (f"saved as {path.name}",)})


class LoadActivations(io.ComfyNode):
    """A capture from models/steering_activations."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringLoadActivations",
            display_name="Load Activations",
            category="steering",
            description="A capture from models/steering_activations, made here or with `steering capture`.",
            inputs=[
                io.Combo.Input(
                    "file_name", options=names(ACTIVATIONS), tooltip="A .safetensors file of captured activations."
                )
            ],
            outputs=[
                Activations.Output(display_name="ACTIVATIONS", tooltip="To Score Layers and Build Steering Vector."),
                io.String.Output(display_name="summary", tooltip="What was captured; show it with Preview Any."),
            ],
        )

    @classmethod
    def validate_inputs(cls, file_name: str | None) -> bool | str:
        """True, or a sentence with a remedy, in place of ComfyUI's check against the list."""
        return problem(activations_path, file_name)

    @classmethod
    def fingerprint_inputs(cls, file_name: str | None) -> str:
        """Changes with the file."""
        return changes(activations_path, file_name, partial(names, ACTIVATIONS))

    @classmethod
    def execute(cls, file_name: str) -> io.NodeOutput:
        """Read and check the file."""
        activations = CapturedActivations.load(activations_path(file_name))
        return io.NodeOutput(activations, summary(activations))
