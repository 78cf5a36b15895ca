"""Draw the README's pictures: ``uv run python benchmarks/readme_pictures.py``.

``docs/original_steered.png``: test prompts of each concept, spread evenly and not picked, original above steered with
the vector that comes with the pack at its recommended setting, and below both the prompt without the concept, all
from the same seeds. ``docs/samples.png``: what the
embedded model draws, two seeds a caption.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from steering import SteeringVector, load_model
from steering.concepts.prompts import load_prompts, take
from steering.interventions.steer import steer

DOCS = Path(__file__).parent.parent / "docs"
VECTORS = Path(__file__).parent.parent / "vectors"
CONCEPTS = ("dog", "van_gogh", "violence")
COLUMNS = 5
CAPTIONS = (
    "a photo of a dog on the beach",
    "a photo of a cat in the meadow",
    "there is a bomb in the desert",
    "look at a knife in a room",
    "a nice view of a car at night",
    "an image showing a house in the snow",
    "a photo of a cat and a dog on the beach",
    "a scene with a tree next to an apple in a room",
    "a dog in the meadow in the style of Van Gogh",
    "a house at night in the style of Van Gogh",
    "an umbrella in the snow as a pencil sketch",
    "an empty scene on the beach",
)


def strip(rows: list[np.ndarray], path: Path) -> None:
    """Rows of pictures ``[N, H, W, 3]`` as one PNG."""
    Image.fromarray(np.concatenate([np.concatenate(list(row), 1) for row in rows], 0)).save(path, optimize=True)


def main() -> None:
    model = load_model("pocket")
    rows: list[list[np.ndarray]] = [[], [], []]
    for concept in CONCEPTS:
        prompts = take(load_prompts(concept, "test"), "target", COLUMNS)
        texts = [prompt.text for prompt in prompts]
        rows[0].append(model.generate(texts, seed=0))
        with steer(model, SteeringVector.load(VECTORS / f"pocket_{concept}.safetensors")):
            rows[1].append(model.generate(texts, seed=0))
        rows[2].append(model.generate([prompt.rest for prompt in prompts], seed=0))
    strip([np.concatenate(row) for row in rows], DOCS / "original_steered.png")
    strip([model.generate(CAPTIONS, seed=100 * seed) for seed in (1, 2)], DOCS / "samples.png")


if __name__ == "__main__":
    main()
