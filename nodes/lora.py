"""Export LoRA."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io

from ..steering.errors import SteeringError
from ..steering.interventions.engine import Steering
from ..steering.interventions.entry import make_entry
from ..steering.interventions.presets import EditSettings
from ..steering.interventions.steer import resolve
from ..steering.lora.export import make_lora, save_lora
from ..steering.lora.formats import FORMATS, KOHYA
from ..steering.vectors.vector import SteeringVector
from .apply import mode_input, mode_problem, preset_input, preset_name, replace_input, strength_input
from .comfy_files import LORAS, new_file
from .comfy_lora import gap_of, layers_of
from .comfy_model import family_of, weights_hash
from .comfy_schema import mistyped, schema
from .sockets import Options, Vector


class ExportLora(io.ComfyNode):
    """Steering as a LoRA."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
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
                mode_input(),
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
                io.LoraModel.Output(
                    display_name="LORA_MODEL", tooltip="To Load LoRA Model, without a file in between."
                ),
                io.String.Output(display_name="path", tooltip="The file; Load LoRA lists it after pressing R."),
                io.String.Output(
                    display_name="report", tooltip="Exact, or what was approximated and how far off it is."
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, mode: str | None = "suppress", input_types: dict[str, str] | None = None) -> bool | str:
        """True, or a sentence with a remedy, before anything runs."""
        return mistyped(cls.define_schema().inputs, input_types or {}) or mode_problem(mode, input_types or {}) or True

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
        options: EditSettings | None = None,
        clip: CLIP | None = None,
    ) -> io.NodeOutput:
        """Bake, measure where it must be, write."""
        if format not in FORMATS:
            raise SteeringError(f"format {format!r} is not one of {', '.join(FORMATS)}")
        wanted = make_entry(
            vector, strength=strength, preset=preset_name(preset), settings=options, mode=mode, target=replace_with
        )
        family = family_of(model)
        resolve(model.model.diffusion_model, Steering([wanted]), family)
        lora = make_lora(
            wanted,
            lambda sites: layers_of(model, sites),
            (lambda deltas: gap_of(model, clip, wanted, KOHYA.tensors(deltas, family)))
            if approximate and clip
            else None,
            "Connect clip, which measures the gap"
            if approximate
            else "Turn on approximate and connect clip, which measures the gap, to export the nearest one",
        )
        path = new_file(LORAS, filename_prefix)
        save_lora(path, format, lora, weights_hash(model), family)
        return io.NodeOutput(
            KOHYA.tensors(lora.deltas, family), str(path), str(lora), ui={"text": (f"saved as {path.name}: {lora}",)}
        )
