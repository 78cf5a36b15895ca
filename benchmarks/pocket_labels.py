"""Make the pictures that are labelled by eye: ``uv run python benchmarks/pocket_labels.py CONCEPT VECTOR``.

Generated pictures in random order, half of them steered with VECTOR (which needs thresholds, such
as the demo's own), most of them asked to show the concept: one sheet, and a table in which the column
``visible`` waits for a person who looks at the sheet without knowing which picture is which.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from steering import SteeringVector, load_model
from steering.concepts.prompts import load_prompts, take
from steering.interventions.steer import steer

FOLDER = Path(__file__).parent / "pocket_labels"
COLUMNS = 10
ARMS = {
    "dog": (
        ("projection", 0.0, 70, 30),
        ("projection", 1.0, 14, 6),
        ("projection", 1.5, 14, 6),
        ("projection", 2.5, 14, 6),
        ("selective", 2.0, 14, 6),
        ("selective", 3.0, 14, 6),
    ),
    "van_gogh": (
        ("projection", 0.0, 30, 20),
        ("casteer", 0.5, 10, 0),
        ("casteer", 1.0, 10, 2),
        ("casteer", 2.0, 10, 3),
        ("projection", 2.5, 12, 3),
    ),
}
"""(preset, strength, pictures of the concept, pictures of its siblings) of each concept."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("concept", choices=ARMS)
    parser.add_argument("vector", type=Path)
    parser.add_argument("--seed", type=int, default=70_000)
    options = parser.parse_args()
    vector = SteeringVector.load(options.vector)
    model, prompts = load_model("pocket"), load_prompts(options.concept, "dev")
    rows, pictures = [], []
    for i, (preset, strength, targets, others) in enumerate(ARMS[options.concept]):
        chosen = take(prompts, "target", targets) + take(prompts, "sibling", others)
        chosen = (chosen * 3)[: targets + others]
        seed = options.seed + 1000 * i
        with steer(model, vector, strength=strength, preset=preset):
            pictures += list(model.generate([prompt.text for prompt in chosen], seed=seed, batch=20))
        rows += [(prompt.text, seed + j, preset, strength) for j, prompt in enumerate(chosen)]
    order = np.random.default_rng(0).permutation(len(rows))
    cells = [pictures[i] for i in order]
    lines = [np.concatenate(cells[i : i + COLUMNS], 1) for i in range(0, len(cells), COLUMNS)]
    FOLDER.mkdir(exist_ok=True)
    Image.fromarray(np.concatenate(lines, 0)).save(FOLDER / f"{options.concept}.webp", quality=95)
    with (FOLDER / f"{options.concept}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [
                ("number", "prompt", "seed", "preset", "strength", "visible"),
                *((n, *rows[i], "") for n, i in enumerate(order)),
            ]
        )


if __name__ == "__main__":
    main()
