"""Score Layers."""

from typing import Any

from comfy_api.latest import io

from ..steering.activations.store import Activations as CapturedActivations
from ..steering.plots.figures import heat_map_figure
from ..steering.plots.pictures import as_array
from ..steering.scores.levels import read_levels, write_levels
from ..steering.scores.navigator import FOLDS, MODES, as_lines, score
from ..steering.scores.navigator import Scores as LayerScores
from ..steering.sites import sort_sites
from .comfy_schema import schema
from .pictures import as_image
from .sockets import Activations, Scores


class Score(io.ComfyNode):
    """How steerable the concept is at every site and noise level."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringScore",
            display_name="Score Layers",
            category="steering",
            description=(
                "LayerNavigator: how well each site tells prompts with the concept from those without "
                "(discriminability, 0 to 1), plus how much all pairs agree on the direction (consistency, -1 to 1)."
            ),
            is_output_node=True,  # the map is shown without anything behind it, and again once the page is reloaded
            inputs=[
                Activations.Input("activations", tooltip="From Capture Activations."),
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    default=MODES[0],
                    tooltip=(
                        f"cross-fitted: each pair is scored with a direction made without it; needs {2 * FOLDS} pairs. "
                        "paper: as published, on the same pairs, which favours wide layers."
                    ),
                ),
                io.String.Input(
                    "sites",
                    default="",
                    tooltip="Sites chosen by hand, and noise levels where only some are meant (in4.attn2:14.61-2.42), "
                    "as the map below writes them when you click and drag; for the output select.",
                ),
            ],
            outputs=[
                Scores.Output(display_name="SCORES", tooltip="To Build Steering Vector."),
                io.Image.Output(display_name="heat_map", tooltip="Sites by noise levels; red is steerable."),
                io.String.Output(display_name="ranking", tooltip="Mean score of every site, best first."),
                io.String.Output(
                    display_name="select", tooltip="To Build's select: sites chosen by hand, else per-step."
                ),
            ],
        )

    @classmethod
    def execute(cls, activations: CapturedActivations, mode: str, sites: str = "") -> io.NodeOutput:
        """Score and draw."""
        scores = score(activations, mode)
        chosen = write_levels(scores, read_levels(scores, sites)) if sites.strip() else "per-step"
        picture = as_image(as_array(heat_map_figure(scores)))
        return io.NodeOutput(
            scores, picture, as_lines(scores.ranking()), chosen, ui={"steering_scores": [_for_the_map(scores)]}
        )


def _for_the_map(scores: LayerScores) -> dict[str, Any]:
    """What web/score_map.js draws: a row a site, in order of execution."""
    names, told = [str(site) for site in sort_sites(scores.sites)], scores.to_json()["sites"]
    rows = {key: [told[name][key] for name in names] for key in ("discriminability", "consistency", "active")}
    return {"sites": names, "sigmas": scores.sigmas.tolist(), **rows}
