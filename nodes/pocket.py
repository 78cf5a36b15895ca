"""Load Pocket Model."""

from comfy_api.latest import io

from .comfy_pocket import load_pocket
from .comfy_schema import schema


class LoadPocket(io.ComfyNode):
    """The embedded model as MODEL, CLIP and VAE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringLoadPocket",
            display_name="Load Pocket Model",
            category="steering",
            description=(
                "A small text-to-image model that comes with this pack, nothing to download: fourteen things such as "
                "a dog, a cat or a bomb, in six places, plain, 'in the style of Van Gogh', 'as a pencil sketch' or "
                "'as a watercolour'. Use 128 x 128, 30 steps, euler, normal, cfg 3."
            ),
            inputs=[],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The UNet; to Apply Steering or a KSampler."),
                io.Clip.Output(display_name="CLIP", tooltip="The text encoder; to CLIP Text Encode."),
                io.Vae.Output(display_name="VAE", tooltip="Four channels, as Stable Diffusion 1.5's; to VAE Decode."),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        """Load the three."""
        return io.NodeOutput(*load_pocket())
