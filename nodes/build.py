"""Build Steering Vector."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io

from ..steering.activations.parts import capture_rows
from ..steering.activations.store import Activations as CapturedActivations
from ..steering.directions.methods import DIRECTIONS
from ..steering.errors import SteeringError
from ..steering.scores.navigator import Scores as LayerScores
from ..steering.vectors.build import NEGATIVES, TIMES, build
from ..steering.vectors.calibration import calibrate, captured_negatives, with_thresholds
from ..steering.vectors.vector import SteeringVector
from .comfy_capture import Bar, GraphModel
from .comfy_schema import schema
from .sockets import Activations, Scores, Vector


class Build(io.ComfyNode):
    """From activations and scores to a steering vector."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringBuild",
            display_name="Build Steering Vector",
            category="steering",
            description=(
                "Directions from 'without' to 'with the concept' at the best sites. With model and clip connected, "
                "gate thresholds are measured too, which the preset selective needs (half of the capture's time)."
            ),
            inputs=[
                Activations.Input("activations", tooltip="From Capture Activations."),
                Scores.Input("scores", optional=True, tooltip="From Score Layers; made here when not connected."),
                io.Int.Input(
                    "top_k",
                    default=5,
                    min=1,
                    max=70,
                    tooltip="Sites to steer, per step or overall; 1 to 10 are useful. More act harder and damage more.",
                ),
                io.String.Input(
                    "select",
                    default="per-step",
                    tooltip="per-step: the best top_k at each step. overall: the same all along. With :attn2 behind, "
                    "among those only. random:SEED: a control. Or kinds and sites, as attn1,in4.ff, and noise levels "
                    "of them, as in4.ff:14.61-2.42.",
                ),
                io.Combo.Input(
                    "direction",
                    options=list(DIRECTIONS),
                    default="mean",
                    tooltip="mean: the mean difference; inside the UNet no other is clearly better. pca: principal "
                    "directions of the differences. cpca, cpca-paired, cpca-denoised: refined by contrastive PCA, "
                    "cpca-source as the source study's code did it. whitened: the mean difference, read without what "
                    "moves along with it. kernel: the map that takes prompts with the concept to those without, fine "
                    "near the words of the pairs and linear beyond; for a capture of text. affine: linear throughout, "
                    "with a rank of 8.",
                ),
                io.Int.Input(
                    "rank",
                    default=1,
                    min=1,
                    max=16,
                    tooltip="Directions a site. 1 for one thing; 2 or 3 for one of unlike things, with pca or "
                    "cpca-paired.",
                ),
                io.Combo.Input(
                    "time",
                    options=list(TIMES),
                    default="per-step",
                    tooltip="A direction for every step, or one constant over all.",
                ),
                io.String.Input(
                    "alpha",
                    default="1",
                    optional=True,
                    tooltip="For the cpca directions: weight of the background, a number from 0, or auto, which pairs "
                    "held out choose (minutes).",
                ),
                io.Int.Input(
                    "components",
                    default=0,
                    min=0,
                    max=100,
                    optional=True,
                    tooltip="For the cpca directions: in whose span the directions lie; 0: the method's own number.",
                ),
                Activations.Input(
                    "background",
                    optional=True,
                    tooltip="For the cpca directions: a capture of neutral pairs; the concept's negatives if not "
                    "connected.",
                ),
                Activations.Input(
                    "protect",
                    optional=True,
                    tooltip="A capture of what is to be kept, at the same steps and sites: nothing is moved along its "
                    "mean difference, and maps of the text leave its prompts alone.",
                ),
                io.Model.Input(
                    "model", optional=True, tooltip="The captured model with its LoRAs; measures gate thresholds."
                ),
                io.Clip.Input("clip", optional=True, tooltip="Its text encoder; belongs to model."),
            ],
            outputs=[
                Vector.Output(display_name="VECTOR", tooltip="To Apply Steering and Save Steering Vector."),
                io.Float.Output(
                    display_name="suggested_strength", tooltip="Usual strength for the recommended preset."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        activations: CapturedActivations,
        top_k: int,
        select: str,
        direction: str,
        rank: int,
        time: str,
        scores: LayerScores | None = None,
        alpha: str = "1",
        components: int = 0,
        background: CapturedActivations | None = None,
        protect: CapturedActivations | None = None,
        model: ModelPatcher | None = None,
        clip: CLIP | None = None,
    ) -> io.NodeOutput:
        """Build, and calibrate where a model is connected."""
        if (model is None) != (clip is None):
            raise SteeringError("model and clip belong together; connect both to measure gate thresholds, or neither")
        vector = build(
            activations,
            scores,
            top_k=top_k,
            select_by=select,
            direction=direction,
            time=time,
            rank=rank,
            alpha=alpha,
            components=components or None,
            background=background or NEGATIVES,
            protect=[protect] if protect else [],
        )
        if model is not None and clip is not None:
            vector = calibrated(model, clip, activations, vector)
        return io.NodeOutput(vector, vector.entry().strength)


def calibrated(
    model: ModelPatcher, clip: CLIP, activations: CapturedActivations, vector: SteeringVector
) -> SteeringVector:
    """The vector with gate thresholds, measured on the negative prompts as they were captured."""
    about = activations.metadata
    # A capture that was not sampled names neither, and is refused with all that it lacks.
    graph = GraphModel(model, clip, about.get("sampler", "euler"), about.get("scheduler", "normal"))
    negatives, settings = captured_negatives(graph, about)
    bar = Bar(model, capture_rows(len(negatives), settings) // 2)  # one side of every pair
    return with_thresholds(vector, calibrate(graph, vector, negatives, settings, bar.advance))
