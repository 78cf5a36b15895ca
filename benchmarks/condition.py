"""How well the condition of the shipped maps tells prompts apart: ``uv run python benchmarks/condition.py``.

For each concept, of the hundred test prompts that hold it and the two hundred that do not: how many it takes for the
other, as they stand and behind phrases that neither pairs nor the embedded model's training know, drawn by chance, few
and more than a chunk of 77 tokens. Nothing is drawn; a minute or two.
"""

import argparse
import random
from pathlib import Path

import numpy as np

import steering
from steering.concepts.prompts import Prompt, evaluated, load_prompts
from steering.directions.condition import holds
from steering.sites import TEXT

VECTORS = Path(__file__).parent.parent / "vectors"
PHRASES = (
    *("cinematic lighting", "sharp focus", "masterpiece", "best quality", "8k", "volumetric fog", "golden hour"),
    *("highly detailed", "trending", "award winning", "a lovely morning", "warm tones", "wide angle", "bokeh"),
    *("minimal", "elegant", "dramatic shadows", "vivid", "professional", "intricate", "a summer afternoon"),
    *("shot on film", "beautiful composition", "hdr", "ultra realistic", "fantasy", "peaceful", "stormy weather"),
    *("old books", "people walking", "a river", "mountains", "the city", "flowers", "music", "glass", "concept art"),
    *("pastel", "foggy", "bright sun"),
)
LENGTHS = {
    "as they stand": 0,
    "behind one phrase": 1,
    "behind three": 3,
    "behind five": 5,
    "behind a chunk of them": 30,
}


def wrong(
    model: steering.DiffusionModel, vector: steering.SteeringVector, prompts: list[Prompt], before: str
) -> tuple[int, int]:
    """How many prompts with the concept are missed, and how many without it are taken for it."""
    rule = vector.sites[TEXT].condition
    assert rule is not None
    found = holds(model.encode([before + prompt.text for prompt in prompts]).context.float(), rule).any(1).numpy()
    target = np.array([prompt.role == "target" for prompt in prompts])
    return int((~found & target).sum()), int((found & ~target).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=5, help="of phrases, of each number of them")
    options = parser.parse_args()
    model = steering.load_model("pocket")
    names = evaluated("pocket")
    prompts = {name: load_prompts(name, "test") for name in names}
    vectors = {name: steering.SteeringVector.load(VECTORS / f"pocket_{name}.safetensors") for name in names}
    print("| prompts |", " | ".join(f"{name}: missed | wrongly taken" for name in names), "|")
    print("|---|" + "---|" * 2 * len(names))
    for title, count in LENGTHS.items():
        draw = random.Random(count)
        befores = [", ".join([*draw.choices(PHRASES, k=count), ""]) for _ in range(options.draws if count else 1)]
        cells = []
        for name, vector in vectors.items():
            found = np.array([wrong(model, vector, prompts[name], before) for before in befores])
            cells += [" ".join(map(str, column)) for column in found.T]
        print(f"| {title} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
