"""Tune Steering."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP, VAE
from comfy_api.latest import io

from ..steering.evaluate.extras import extra
from ..steering.evaluate.measures import Measures, metrics_of
from ..steering.study.folder import run_fingerprint, work_in
from ..steering.study.renderer import read_picture
from ..steering.tune.front import front_plot, front_table
from ..steering.tune.search import FULL, QUICK, planned_rows, search_of, write_table
from .comfy_capture import Bar
from .comfy_drawing import DrawingModel
from .comfy_schema import schema
from .comfy_study import OfConcept, concept_inputs, plan_of, sampling_inputs, subject_of, work_folder
from .pictures import as_image
from .sockets import Vector

BUDGETS = {"quick": (QUICK, 12), "full": (FULL, 50)}
"""Name -> what is tried, and pairs that are captured."""


class Tune(OfConcept):
    """The best way of steering that a search finds."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringTune",
            display_name="Tune Steering",
            category="steering",
            description=(
                "Captures a concept's pairs and tries ways of steering on prompts with it and without: which sites, "
                "directions, preset, strength, part of the schedule. The vector carries the best one along. Takes from "
                "a quarter of an hour to a day; what was drawn is kept in output/steering, and interrupted it goes on."
            ),
            inputs=[
                io.Model.Input("model", tooltip="The model, without Apply Steering."),
                io.Clip.Input("clip", tooltip="Its text encoder."),
                io.Vae.Input("vae", tooltip="Its VAE."),
                *concept_inputs(),
                io.Combo.Input(
                    "budget",
                    options=list(BUDGETS),
                    default="quick",
                    tooltip="quick: a dozen pairs, 14 settings on a handful of prompts. full: 50 pairs, 80 settings, "
                    "the best on 150 prompts.",
                ),
                io.Boolean.Input(
                    "exportable", default=False, tooltip="Only ways that Export LoRA holds exactly are tried."
                ),
                *sampling_inputs(),
            ],
            outputs=[
                Vector.Output(
                    display_name="VECTOR",
                    tooltip="To Apply Steering with preset recommended, and Save Steering Vector.",
                ),
                io.Float.Output(display_name="suggested_strength", tooltip="The strength that was found."),
                io.Image.Output(
                    display_name="IMAGE", tooltip="What was tried: percent not removed over points that others lose."
                ),
                io.String.Output(
                    display_name="report", tooltip="The finalists on all prompts; show it with Preview Any."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        clip: CLIP,
        vae: VAE,
        concept: str,
        word: str,
        budget: str,
        exportable: bool,
        steps: int,
        cfg: float,
        size: int,
        batch: int,
    ) -> io.NodeOutput:
        """Capture, search, and take the best."""
        extra("optuna", "headless")  # before anything is drawn
        allowed, pairs = BUDGETS[budget]
        drawing = DrawingModel(model, clip, vae, size)
        plan = plan_of(drawing, steps, cfg, batch, pairs=pairs)
        subject = subject_of(drawing, concept, word, plan)
        setting = run_fingerprint("tune", drawing, plan, [subject], budget=budget, exportable=exportable)
        out = work_folder(f"tune_{subject.name}", setting)
        metrics = metrics_of(Measures(), drawing.family, [], out, str(drawing.device))
        search = search_of(drawing, subject, out, metrics, allowed, plan, exportable)
        bar = Bar(model, planned_rows(search))
        with work_in(out, setting):
            found = search.told(bar.advance).run()
            write_table(out / "tune.json", search, found)
            front_plot(found, out / "pareto.png", subject.name)
            vector = search.vector(found)
        title = f"{subject.name}: the finalists on all dev prompts"
        table = front_table(title, found.finals, taken=found.taken).markdown()
        return io.NodeOutput(vector, found.taken.setting.strength, as_image(read_picture(out / "pareto.png")), table)
