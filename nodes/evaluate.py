"""Evaluate Steering."""

from __future__ import annotations

import json
from typing import Any

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP, VAE
from comfy_api.latest import io

from ..steering.evaluate.measures import Measures, metrics_of
from ..steering.models.sampling import rows_of
from ..steering.study.evaluation import evaluation_arms, pictures_drawn, write_control
from ..steering.study.folder import run_fingerprint, work_in
from ..steering.study.renderer import read_picture
from ..steering.study.report import write_study
from ..steering.study.results import Result
from ..steering.study.run import Study
from ..steering.study.tables import removals
from ..steering.vectors.vector import SteeringVector
from .apply import preset_input, preset_name
from .comfy_capture import Bar
from .comfy_drawing import DrawingModel
from .comfy_schema import schema
from .comfy_study import OfConcept, concept_inputs, output_folder, plan_of, sampling_inputs, subject_of, work_folder
from .pictures import as_image
from .sockets import Vector


class Evaluate(OfConcept):
    """A vector, measured on prompts with its concept and without."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringEvaluate",
            display_name="Evaluate Steering",
            category="steering",
            description=(
                "Draws test prompts with and without the vector, and measures what a person would look for: is the "
                "concept gone, is anything broken left, is the rest there, are other prompts left alone. Pictures "
                "and report are kept in output/steering; interrupted, it goes on there."
            ),
            inputs=[
                io.Model.Input("model", tooltip="The model, without Apply Steering."),
                io.Clip.Input("clip", tooltip="Its text encoder."),
                io.Vae.Input("vae", tooltip="Its VAE."),
                Vector.Input("vector", tooltip="What is measured."),
                *concept_inputs(),
                preset_input(),
                io.Float.Input(
                    "strength",
                    default=0.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="0 takes the strength that the vector recommends, else the preset's usual one.",
                ),
                io.Int.Input(
                    "prompts",
                    default=4,
                    min=2,
                    max=100,
                    tooltip="Test prompts of each of three roles (with the concept, its siblings, unrelated): fifteen "
                    "pictures each. Four show the way, twenty and more are a measurement.",
                ),
                *sampling_inputs(),
            ],
            outputs=[
                io.Image.Output(
                    display_name="IMAGE",
                    tooltip="Prompts side by side: original, steered, random directions, without the concept.",
                ),
                io.String.Output(display_name="table", tooltip="The measures as a table; show it with Preview Any."),
                io.String.Output(display_name="json", tooltip="All figures as JSON."),
                io.String.Output(display_name="report", tooltip="The report's file, an HTML page."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        clip: CLIP,
        vae: VAE,
        vector: SteeringVector,
        concept: str,
        word: str,
        preset: str,
        strength: float,
        prompts: int,
        steps: int,
        cfg: float,
        size: int,
        batch: int,
    ) -> io.NodeOutput:
        """Draw, measure, write."""
        drawing = DrawingModel(model, clip, vae, size)
        plan = plan_of(drawing, steps, cfg, batch, prompts)
        guidance = plan.guidance_on(drawing.family)
        subject, name = subject_of(drawing, concept, word, plan), preset_name(preset)
        how: dict[str, Any] = {"vector": vector.digest(lengths=True), "preset": name, "strength": strength or None}
        setting = run_fingerprint("evaluate", drawing, plan, [subject], **how)
        out = work_folder(f"evaluate_{subject.name}", setting)
        metrics = metrics_of(Measures(), drawing.family, [subject.name], out, str(drawing.device))
        bar = Bar(model, rows_of(pictures_drawn(plan), steps, guidance))
        with work_in(out, setting):
            path, control = out / "vector.safetensors", out / "isotropic.safetensors"
            vector.save(path)
            arms = evaluation_arms(drawing, plan, subject, path, strength or None, name, control)
            write_control(path, control)
            study = Study(drawing, plan, out, metrics, progress=bar.advance)
            written = write_study(study, study.measure([Result(subject, arms, {})]))
        shown = read_picture(out / subject.name / "gallery_fixed.png")
        about = written.results["concepts"][subject.name]
        table = f"{about['summary']}\n\n{removals(written.figures).markdown()}"
        report = out / "report.html"
        shortly = report.relative_to(output_folder("").parent.parent)  # as output/steering/...
        said = "\n".join([about["summary"], str(shortly), *written.results["warnings"]])
        return io.NodeOutput(as_image(shown), table, json.dumps(about["arms"]), str(report), ui={"text": (said,)})
