"""Strength Sweep, and Labelled Grid."""

from __future__ import annotations

import math

import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..steering.evaluate.plots import labelled_grid
from ..steering.steer import make_entry
from ..steering.vector import SteeringVector
from .apply import preset_input, preset_name
from .comfy_unet import with_entry
from .pictures import as_image, as_pictures
from .sockets import Vector


def parse_strengths(text: str) -> list[float]:
    """Numbers separated by commas, spaces or lines.

    Raises:
        ValueError: none, or something that is no finite number.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        strengths = [float(word) for word in words]
    except ValueError:
        strengths = []
    if not strengths or not all(math.isfinite(value) for value in strengths):
        raise ValueError(f"strengths {text!r} must be numbers separated by commas, such as 0, 1, 2.5")
    return strengths


class Sweep(io.ComfyNode):
    """The same model at several strengths; nodes behind it run once for each."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return io.Schema(
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
        models = [with_entry(model, make_entry(vector, value, preset_name(preset))) for value in values]
        return io.NodeOutput(models, [f"strength {value:g}" for value in values])


class LabelledGrid(io.ComfyNode):
    """Pictures of one size in rows, each under its label."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return io.Schema(
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
            ],
            outputs=[io.Image.Output(display_name="IMAGE", tooltip="One picture; to Preview Image or Save Image.")],
            is_input_list=True,
        )

    @classmethod
    def execute(cls, images: list[torch.Tensor], labels: list[str], columns: list[int]) -> io.NodeOutput:
        """Flatten batches, draw."""
        if len(labels) != len(images):
            raise ValueError(
                f"{len(labels)} labels do not fit {len(images)} pictures; connect labels of the same sweep"
            )
        sizes = {tuple(image.shape[1:3]) for image in images}
        if len(sizes) != 1:
            raise ValueError(f"pictures of {len(sizes)} sizes do not fit one grid; decode latents of one size")
        pictures = [
            (picture, label) for image, label in zip(images, labels, strict=True) for picture in as_pictures(image)
        ]
        grid = labelled_grid([picture for picture, _ in pictures], [label for _, label in pictures], columns[0])
        return io.NodeOutput(as_image(grid))
