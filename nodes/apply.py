"""Apply Steering, and Steering Options."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..steering.errors import SteeringError
from ..steering.interventions.entry import make_entry
from ..steering.interventions.operators import INTERVENTIONS
from ..steering.interventions.presets import GATES, HALVES, PRESETS, REFERENCES, EditSettings
from ..steering.vectors.vector import SteeringVector
from .comfy_schema import mistyped, schema
from .comfy_steering import with_entry
from .sockets import Options, Vector

RECOMMENDED = "recommended"
"""The preset that the vector's file recommends."""


def preset_input(default: str = RECOMMENDED) -> io.Combo.Input:
    """The choice of preset, wherever it is asked for."""
    return io.Combo.Input(
        "preset",
        options=[RECOMMENDED, *PRESETS],
        default=default,
        tooltip=(
            "How tokens are moved. recommended: as the vector's file says (in its part of the schedule, where start "
            "and end stay at 0 and 1), else conditional for vectors of the text embedding and precise for others. "
            "projection: every token, plain projection. casteer: only tokens that hold the concept. precise: those, "
            "down to the level of pictures without it. selective: only tokens far above that level. lora: every "
            "token, in both halves of guidance, to that level, which an exported LoRA does too. affine: the same in "
            "the prompt's half. conditional: for vectors of the text embedding; that in prompts that hold the "
            "concept, and nothing in others."
        ),
    )


def strength_input(tooltip: str) -> io.Float.Input:
    """The strength, wherever it is asked for."""
    return io.Float.Input("strength", default=1.0, min=-10.0, max=10.0, step=0.05, tooltip=tooltip)


def preset_name(preset: str) -> str | None:
    """The preset's name as the engine wants it."""
    return None if preset == RECOMMENDED else preset


def mode_input() -> io.Combo.Input:
    """The choice of mode, wherever it is asked for."""
    return io.Combo.Input(
        "mode",
        options=list(INTERVENTIONS),
        default="suppress",
        tooltip=(
            "suppress: take the concept out. replace: put replace_with in its place. add: put the concept in, on every "
            "token; works well for styles, hardly for objects."
        ),
    )


def mode_problem(mode: str | None, linked: Mapping[str, str]) -> str | None:
    """What is wrong with a mode and the inputs that are linked, as a sentence with a remedy; None comes over a link."""
    if mode is None:
        return None
    if mode not in INTERVENTIONS:
        return f"mode {mode!r} is not one of {', '.join(INTERVENTIONS)}"
    if mode == "replace" and "replace_with" not in linked:
        return "mode 'replace' takes a second vector; connect replace_with, or use mode suppress"
    return None


def replace_input() -> Vector.Input:
    """The second vector of mode replace, wherever it is asked for."""
    return Vector.Input(
        "replace_with",
        optional=True,
        tooltip="For mode replace: what takes the concept's place. Best when both are built at the same sites.",
    )


def _percent(name: str, default: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=default, min=0.0, max=1.0, step=0.01, tooltip=tooltip)


class Apply(io.ComfyNode):
    """A model that steers while it samples."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringApply",
            display_name="Apply Steering",
            category="steering",
            description=(
                "Takes the vector's concept out of what the model draws, while it draws; or puts it in, or another in "
                "its place. The model given stays as it is; several Apply nodes in a row act together."
            ),
            inputs=[
                io.Model.Input("model", tooltip="A model of the family that the vector was made for."),
                Vector.Input("vector", tooltip="From Load Steering Vector or Build Steering Vector."),
                strength_input(
                    "0 changes nothing at all, bit for bit; useful from 0.5 to 4. For preset projection 1 removes the "
                    "direction and 2.5 is the source study's; negative strengths push the other way."
                ),
                preset_input(),
                mode_input(),
                _percent(
                    "start_percent",
                    0.0,
                    "Where steering starts: share of the noise schedule's timesteps, not of steps; 0: at once.",
                ),
                _percent("end_percent", 1.0, "Where steering ends, in the same share; 1: at the end."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where in the picture to steer: white everywhere by default, grey is partial.",
                ),
                Options.Input("options", optional=True, tooltip="From Steering Options; replaces the preset."),
                replace_input(),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The steered model; to a KSampler.")],
        )

    @classmethod
    def validate_inputs(
        cls,
        mode: str | None = "suppress",
        start_percent: float | None = 0.0,
        end_percent: float | None = 1.0,
        input_types: dict[str, str] | None = None,
    ) -> bool | str:
        """True, or a sentence with a remedy, before anything runs; what comes over a link is None until it does."""
        linked = input_types or {}
        wrong = mistyped(cls.define_schema().inputs, linked) or mode_problem(mode, linked)
        start, end = 0.0 if start_percent is None else start_percent, 1.0 if end_percent is None else end_percent
        return wrong or part_problem(start, end) or True

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        vector: SteeringVector,
        strength: float,
        preset: str,
        mode: str,
        start_percent: float,
        end_percent: float,
        mask: torch.Tensor | None = None,
        options: EditSettings | None = None,
        replace_with: SteeringVector | None = None,
    ) -> io.NodeOutput:
        """Clone, add the entry, return."""
        wrong = part_problem(start_percent, end_percent)
        if wrong:
            raise SteeringError(wrong)
        window = _window(model, start_percent, end_percent, preset == RECOMMENDED and options is None)
        # The same object stays the same: vectors under one mask are made orthogonal to each other.
        area = mask if mask is None or mask.ndim == 3 else mask.reshape(-1, *mask.shape[-2:])
        entry = make_entry(
            vector,
            strength=strength,
            preset=preset_name(preset),
            settings=options,
            window=window,
            mode=mode,
            mask=area,
            target=replace_with,
        )
        return io.NodeOutput(with_entry(model, entry))


def part_problem(start: float, end: float) -> str | None:
    """What is wrong with a part of the schedule, as a sentence with a remedy."""
    if 0.0 <= start <= end <= 1.0:
        return None
    return (
        f"start_percent {start:g} to end_percent {end:g} is no part of 0 to 1; give two shares, the smaller one first"
    )


def _window(model: ModelPatcher, start: float, end: float, recommended: bool) -> tuple[float, float] | None:
    """The first and last noise level; None leaves them to the vector's file where what it recommends is asked for."""
    if recommended and (start, end) == (0.0, 1.0):
        return None
    sampling = model.get_model_object("model_sampling")
    return float(sampling.percent_to_sigma(start)), float(sampling.percent_to_sigma(end))


class SteeringOptions(io.ComfyNode):
    """The four settings that a preset names, one by one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringOptions",
            display_name="Steering Options",
            category="steering",
            description="How tokens are moved, in place of a preset: reference, gate, length and half of guidance.",
            inputs=[
                io.Combo.Input(
                    "reference",
                    options=list(REFERENCES),
                    default="negative",
                    tooltip="What strength 1 moves to: zero along the direction, or the mean of the negative prompts.",
                ),
                io.Combo.Input(
                    "gate",
                    options=list(GATES),
                    default="positive",
                    tooltip=(
                        "Which tokens move: all; positive, those above the reference; threshold, those above what 95 % "
                        "of negative tokens reach (needs a vector with thresholds); prompt, those of a prompt that "
                        "holds the concept (needs a vector of the text embedding)."
                    ),
                ),
                io.Boolean.Input(
                    "keep_norm", default=False, tooltip="Whether a token keeps its length; gentler at high strengths."
                ),
                io.Combo.Input(
                    "half",
                    options=list(HALVES),
                    default="cond",
                    tooltip="Steer the prompt's half of guidance only, or both halves (weaker; what a LoRA does).",
                ),
            ],
            outputs=[Options.Output(display_name="OPTIONS", tooltip="To Apply Steering.")],
        )

    @classmethod
    def execute(cls, reference: str, gate: str, keep_norm: bool, half: str) -> io.NodeOutput:
        """Check and pack."""
        return io.NodeOutput(EditSettings(reference, gate, keep_norm, half))
