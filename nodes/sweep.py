"""Strength Sweep, and Labelled Grid."""

from __future__ import annotations

import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..steering.errors import SteeringError
from ..steering.evaluate.metrics import root_mean_square
from ..steering.plots.pictures import labelled_grid
from ..steering.plots.strength_sweep import judge_labels, judged_of, notes_of, parse_strengths
from ..steering.vectors.vector import SteeringVector
from .apply import preset_input, preset_name
from .comfy_schema import schema
from .comfy_steering import with_entry
from .pictures import as_image, as_pictures
from .sockets import Vector


class Sweep(io.ComfyNode):
    """The same model at several strengths; nodes behind it run once for each."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringSweep",
            display_name="Strength Sweep",
            category="steering",
            description="One steered model a strength: a stock KSampler behind it runs once for each of them.",
            inputs=[
                io.Model.Input("model", tooltip="The model to steer."),
                Vector.Input("vector", tooltip="From Load Steering Vector or Build Steering Vector."),
                io.String.Input(
                    "strengths", default="0, 1, 2, 3", tooltip="Numbers separated by commas; 0 is the original."
                ),
                preset_input(),
            ],
            outputs=[
                io.Model.Output(
                    display_name="MODEL", is_output_list=True, tooltip="A list of models; to one stock KSampler."
                ),
                io.String.Output(
                    display_name="labels", is_output_list=True, tooltip="The strengths as text; to Labelled Grid."
                ),
            ],
        )

    @classmethod
    def execute(cls, model: ModelPatcher, vector: SteeringVector, strengths: str, preset: str) -> io.NodeOutput:
        """One clone a strength."""
        values = parse_strengths(strengths)
        models = [with_entry(model, vector.entry(strength=value, preset=preset_name(preset))) for value in values]
        return io.NodeOutput(models, [f"strength {value:g}" for value in values])


class LabelledGrid(io.ComfyNode):
    """Pictures of one size in rows, each under its label."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringLabelledGrid",
            display_name="Labelled Grid",
            category="steering",
            description="Puts a list of pictures side by side, each under its label.",
            inputs=[
                io.Image.Input(
                    "images", tooltip="A list of pictures of one size, such as VAE Decode gives of a sweep."
                ),
                io.String.Input(
                    "labels",
                    force_input=True,
                    tooltip="A list of texts, one a picture or one a batch, such as Strength Sweep gives.",
                ),
                io.Int.Input("columns", default=4, min=1, max=64, tooltip="Pictures in a row."),
                Vector.Input(
                    "vector",
                    optional=True,
                    tooltip=(
                        "Writes under each picture how far it drifted from the first (rms in grey levels), and on the "
                        "embedded model's pictures the presence of this vector's concept, 0 to 100."
                    ),
                ),
            ],
            outputs=[io.Image.Output(display_name="IMAGE", tooltip="One picture; to Preview Image or Save Image.")],
            is_input_list=True,
        )

    @classmethod
    def execute(
        cls,
        images: list[torch.Tensor],
        labels: list[str],
        columns: list[int],
        vector: list[SteeringVector] | None = None,
    ) -> io.NodeOutput:
        """Flatten batches, measure, draw."""
        if len(labels) == sum(map(len, images)):  # a label a picture
            images = [picture[None] for image in images for picture in image]
        if len(labels) != len(images):
            raise SteeringError(
                f"{len(labels)} labels do not fit {sum(map(len, images))} pictures in {len(images)} batches; give one "
                "a picture or one a batch, such as Strength Sweep gives"
            )
        sizes = {tuple(image.shape[1:3]) for image in images}
        if len(sizes) != 1:
            raise SteeringError(f"pictures of {len(sizes)} sizes do not fit one grid; decode latents of one size")
        pictures = [
            (picture, label) for image, label in zip(images, labels, strict=True) for picture in as_pictures(image)
        ]
        notes = _notes([as_pictures(image) for image in images], vector[0]) if vector else []
        grid = labelled_grid([picture for picture, _ in pictures], [label for _, label in pictures], columns[0], notes)
        return io.NodeOutput(as_image(grid))


def _notes(batches: list[list[np.ndarray]], vector: SteeringVector) -> list[str]:
    """Presence and drift of every picture, from the one at the same place of the first batch."""
    pictures = np.stack([picture for batch in batches for picture in batch])
    first = [batches[0][i % len(batches[0])] for batch in batches for i in range(len(batch))]
    family = vector.metadata.get("model", {}).get("family", "")
    labels = judge_labels(str(vector.metadata.get("concept", "")), family)
    return notes_of(judged_of(pictures, labels), root_mean_square(pictures, np.stack(first)))
