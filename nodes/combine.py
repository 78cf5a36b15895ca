"""Combine Vectors."""

from comfy_api.latest import io

from ..steering.plots.figures import cosine_figure
from ..steering.plots.pictures import as_array
from ..steering.vectors.combine import COMBINATIONS, combine
from ..steering.vectors.similarity import cosine_table, cosines, name_of
from ..steering.vectors.vector import SteeringVector
from .comfy_schema import schema
from .pictures import as_image
from .sockets import Vector


def _weight(name: str) -> io.Float.Input:
    return io.Float.Input(
        name,
        default=1.0,
        min=-10.0,
        max=10.0,
        step=0.05,
        tooltip="A factor applied first: matters where vectors are summed, and for modes add and replace; not 0.",
    )


class Combine(io.ComfyNode):
    """One vector out of several."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringCombine",
            display_name="Combine Vectors",
            category="steering",
            description=(
                "Vector arithmetic: sum, difference, average; the first made orthogonal to the others, which protects "
                "them; or all directions as one vector. Alone, a vector is multiplied by its weight. Also shows how "
                "alike the vectors are."
            ),
            inputs=[
                Vector.Input("vector_a", tooltip="The first vector."),
                _weight("weight_a"),
                Vector.Input("vector_b", optional=True, tooltip="A second one, made for the same model."),
                _weight("weight_b"),
                Vector.Input("vector_c", optional=True, tooltip="A third one, made for the same model."),
                _weight("weight_c"),
                io.Combo.Input(
                    "how",
                    options=list(COMBINATIONS),
                    default="add",
                    tooltip=(
                        "add and subtract: sums of what the concepts do. average: the sum over the number. "
                        "orthogonalise: a without what b and c say. gram-schmidt: all directions, to suppress at once."
                    ),
                ),
            ],
            outputs=[
                Vector.Output(display_name="VECTOR", tooltip="To Apply Steering, Save Steering Vector, Export LoRA."),
                io.String.Output(display_name="cosines", tooltip="Cosines between the vectors given, as text."),
                io.Image.Output(display_name="picture", tooltip="The same as a picture."),
            ],
        )

    @classmethod
    def execute(
        cls,
        vector_a: SteeringVector,
        weight_a: float,
        weight_b: float,
        weight_c: float,
        how: str,
        vector_b: SteeringVector | None = None,
        vector_c: SteeringVector | None = None,
    ) -> io.NodeOutput:
        """Combine, compare, draw."""
        given = [(v, w) for v, w in ((vector_a, weight_a), (vector_b, weight_b), (vector_c, weight_c)) if v is not None]
        vectors = [vector for vector, _ in given]
        made = combine(vectors, how, [weight for _, weight in given])
        # Letters tell two vectors of one concept apart; they are those of the sockets.
        sockets = [letter for letter, v in zip("abc", (vector_a, vector_b, vector_c), strict=True) if v is not None]
        names = [
            f"{letter}: {name_of(vector, i)}" for i, (letter, vector) in enumerate(zip(sockets, vectors, strict=True))
        ]
        matrix = cosines(vectors)
        picture = as_image(as_array(cosine_figure(names, matrix.numpy())))
        return io.NodeOutput(made, cosine_table(names, matrix), picture)
