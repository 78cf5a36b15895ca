"""Steering Map."""

import torch
from comfy_api.latest import io

from ..steering.errors import SteeringError
from ..steering.interventions.maps import QUANTITIES, as_mask, maps_of, summary
from ..steering.plots.maps import TITLES, map_figure
from ..steering.plots.pictures import as_array
from .comfy_schema import schema
from .pictures import as_image, as_pictures
from .sockets import Run, SteeredRun


class SteeringMap(io.ComfyNode):
    """Where in the picture the model holds the concept, and where steering acted."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringMap",
            display_name="Steering Map",
            category="steering",
            description=(
                "Paints over a picture where the model holds the concept at each site and step, or where steering "
                "moved it: 1 is as much as in the mean of prompts with it, 0 as in those without. At strength 0 it "
                "shows where the concept is in an unsteered picture."
            ),
            inputs=[
                Run.Input("run", tooltip="From KSampler (Steering)."),
                io.Image.Input("image", tooltip="The decoded pictures of that run."),
                io.Combo.Input(
                    "show",
                    options=list(QUANTITIES),
                    default="held",
                    tooltip="held: how much of the concept, before steering. moved: how far steering moved it.",
                ),
                io.Int.Input(
                    "picture", default=0, min=0, max=4095, tooltip="Number of the picture in its batch, from 0."
                ),
                io.Int.Input(
                    "vector_number",
                    default=0,
                    min=0,
                    max=63,
                    tooltip="Which Apply Steering of the model, from 0, where there are several.",
                ),
                io.Int.Input("columns", default=6, min=1, max=30, tooltip="Noise levels shown, spread evenly."),
                io.Int.Input("rows", default=6, min=1, max=70, tooltip="Sites shown, those that show most of it."),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The maps; to Preview Image."),
                io.Mask.Output(
                    display_name="MASK",
                    tooltip="The mean over sites and steps as weights 0 to 1; to Apply Steering, or any mask.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        run: SteeredRun,
        image: torch.Tensor,
        show: str,
        picture: int,
        vector_number: int,
        columns: int,
        rows: int,
    ) -> io.NodeOutput:
        """Collect, paint."""
        pictures = as_pictures(image)
        if picture >= len(pictures):
            raise SteeringError(f"picture {picture} is not one of the {len(pictures)} given, which count from 0")
        maps = maps_of(run.entries, run.observations, show, vector_number, picture)
        concept = run.entries[vector_number].vector.metadata.get("concept") or "the concept"
        figure = map_figure(pictures[picture], maps, TITLES[show].format(concept), columns, rows)
        mean = summary(maps, pictures[picture].shape[:2])
        return io.NodeOutput(as_image(as_array(figure)), as_mask(mean if show == "held" else mean.abs())[None])
