"""Export LoRA."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io

from ..steering.bake import FORMATS, bake, kohya, linearised, obstacles
from ..steering.interventions import INTERVENTIONS, Settings
from ..steering.lora import save_lora
from ..steering.steer import make_entry
from ..steering.vector import SteeringVector
from .apply import preset_input, preset_name, replace_input, strength_input
from .comfy_capture import family_of, weights_hash
from .comfy_files import LORAS, new_file
from .comfy_lora import gap_of, layers_of
from .sockets import LoraModel, Options, Vector


class ExportLora(io.ComfyNode):
    """Steering as a LoRA."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return io.Schema(
            node_id="SteeringExportLora",
            display_name="Export LoRA",
            category="steering",
            description=(
                "Writes steering as a LoRA into models/loras, which costs nothing while sampling. Exact for a vector "
                "built with time 'constant' at attn1, attn2 and ff sites and preset lora; anything else is refused "
                "with the reason, or approximated on request with its measured gap."
            ),
            inputs=[
                io.Model.Input("model", tooltip="The model that the LoRA is for, with the LoRAs that it is used with."),
                Vector.Input("vector", tooltip="Built with time 'constant' at sites of kind attn1, attn2 or ff."),
                strength_input("Baked in: loaded with weight w, the LoRA acts with w times as much; not 0."),
                preset_input("lora"),
                io.Combo.Input(
                    "mode",
                    options=list(INTERVENTIONS),
                    default="suppress",
                    tooltip="suppress: take the concept out. replace: put replace_with in its place. add: put it in.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default="comfyui",
                    tooltip="comfyui: also Forge, and A1111 but for the bias. diffusers: load_lora_weights.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="steering/my_lora",
                    tooltip="Name without ending, in models/loras; where it is taken, a number follows.",
                ),
                io.Boolean.Input(
                    "approximate",
                    default=False,
                    tooltip="Export the nearest LoRA where none is exact; needs clip, to measure how far off it is.",
                ),
                replace_input(),
                Options.Input(
                    "options", optional=True, tooltip="From Steering Options; replaces the preset. Gate all, half both."
                ),
                io.Clip.Input("clip", optional=True, tooltip="The text encoder; measures the gap of an approximation."),
            ],
            outputs=[
                LoraModel.Output(display_name="LORA_MODEL", tooltip="To Load LoRA Model, without a file in between."),
                io.String.Output(display_name="path", tooltip="The file; Load LoRA lists it after pressing R."),
                io.String.Output(
                    display_name="report", tooltip="Exact, or what was approximated and how far off it is."
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        vector: SteeringVector,
        strength: float,
        preset: str,
        mode: str,
        format: str,
        filename_prefix: str,
        approximate: bool,
        replace_with: SteeringVector | None = None,
        options: Settings | None = None,
        clip: CLIP | None = None,
    ) -> io.NodeOutput:
        """Bake, measure where it must be, write."""
        if format not in FORMATS:
            raise ValueError(f"format {format!r} is not one of {', '.join(FORMATS)}")
        if not strength:
            raise ValueError("a LoRA of strength 0 does nothing; give another strength")
        wanted = make_entry(vector, strength, preset_name(preset), options, mode=mode, target=replace_with)
        inexact = obstacles(wanted)
        if inexact and not (approximate and clip):
            remedy = "connect clip, which measures the gap" if approximate else "or turn on approximate"
            raise ValueError(f"a LoRA cannot hold this exactly: {'; '.join(inexact)}; {remedy}")
        held = linearised(wanted) if inexact else wanted
        deltas = bake(held, layers_of(model, list(held.vector.sites)))
        tensors = kohya(deltas)
        gap = gap_of(model, clip, wanted, tensors) if inexact and clip else None
        path = new_file(LORAS, filename_prefix)
        save_lora(path, format, wanted, deltas, weights_hash(model), family_of(model), inexact, gap)
        report = f"exact, {len(deltas)} layers" if gap is None else _approximation(inexact, gap)
        return io.NodeOutput(tensors, str(path), report, ui={"text": (f"saved as {path.name}: {report}",)})


def _approximation(inexact: list[str], gap: float) -> str:
    lines = "\n".join(f"- {line}" for line in inexact)
    return f"approximated, gap {gap:.2f} (0: the same picture, 1: as far off as not steering):\n{lines}"
