"""Make the pictures that are labelled by eye: ``uv run python benchmarks/pocket_labels.py WORK``.

For each concept a hundred pictures of dev prompts in random order, under every preset and mode, controls, a LoRA, both
forms of contrastive PCA, unsteered, and without the concept. One picture file holds them all; a table waits for a
person who does not see the settings. WORK takes captures, and numbered sheets with the prompts to look at:

    visible   the concept can be seen, whole or mostly
    remains   something is broken, ghosted, half faded or mixed: a part of a thing, a patch, shreds
    clean     neither, and what else the prompt asks for is there
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from label_sheets import write

from steering import load_model
from steering.concepts.pairs import spread
from steering.concepts.prompts import evaluated
from steering.interventions.entry import make_entry
from steering.interventions.steer import steer
from steering.lora.bake import bake, linear_layers, merged
from steering.study.plan import Plan
from steering.study.run import Study
from steering.study.setting import Recipe
from steering.study.subject import Subject, load_subject
from steering.study.vectors import Vectors

FOLDER = Path(__file__).parent / "pocket_labels"
EACH = 5
MODEL = load_model("pocket")


@dataclass(frozen=True)
class Kit:
    """The subject of a concept with its vectors, and those of another one."""

    subject: Subject
    vectors: Vectors
    theirs: Vectors
    other: str

    def applied(self, recipe: Recipe, preset: str, strength: float, **how: Any) -> AbstractContextManager:
        """A recipe's vector at work."""
        return steer(MODEL, [make_entry(self.vectors.get(recipe), preset=preset, strength=strength, **how)])

    def controlled(self, control: str, draw: str) -> AbstractContextManager:
        """A control of the source study's setting at work."""
        return self.applied(Recipe(10, control=control, draw=draw), "projection", 2.5)

    def replaced(self) -> AbstractContextManager:
        """The concept replaced by the other."""
        how: Any = {"mode": "replace", "target": self.theirs.get(CROSS)}
        return self.applied(CROSS, "precise", 1.0, **how)

    def as_lora(self) -> AbstractContextManager:
        """The change of weights that stands for the preset "lora"."""
        entry = make_entry(self.vectors.get(CROSS), preset="lora", strength=1.0)
        return merged(MODEL.unet, bake(entry, linear_layers(MODEL.unet, list(entry.vector.sites))))


CROSS = Recipe(1, selection="attn2", time="constant")
SETTINGS: dict[str, Callable[[Kit], AbstractContextManager]] = {
    "unsteered": lambda kit: nullcontext(),
    "counterfactual": lambda kit: nullcontext(),
    **{
        f"projection {strength:g} k={k}": lambda kit, k=k, strength=strength: kit.applied(
            Recipe(k), "projection", strength
        )
        for k, strength in ((5, 1.0), (5, 1.5), (5, 2.5), (10, 2.5))
    },
    "casteer 2 k=10": lambda kit: kit.applied(Recipe(10), "casteer", 2.0),
    "precise 1 k=8": lambda kit: kit.applied(Recipe(8), "precise", 1.0),
    "precise 1.5 attn2": lambda kit: kit.applied(CROSS, "precise", 1.5),
    "selective 2 k=10": lambda kit: kit.applied(Recipe(10), "selective", 2.0),
    "selective 3 k=10": lambda kit: kit.applied(Recipe(10), "selective", 3.0),
    "selective 3 k=10 rank 3": lambda kit: kit.applied(Recipe.of_rank(10, 3), "selective", 3.0),
    "cpca projection 2.5 k=5": lambda kit: kit.applied(Recipe(5, "cpca"), "projection", 2.5),
    "cpca-source projection 2.5 k=5": lambda kit: kit.applied(Recipe(5, "cpca-source"), "projection", 2.5),
    "conditional 1 text rank 8": lambda kit: kit.applied(Recipe.of_text("affine", 8), "conditional", 1.0),
    "affine 1 text rank 8": lambda kit: kit.applied(Recipe.of_text("affine", 8), "affine", 1.0),
    "lora 1 attn2": lambda kit: kit.applied(CROSS, "lora", 1.0),
    "LoRA attn2": lambda kit: kit.as_lora(),
    "replace attn2": lambda kit: kit.replaced(),
    "sign_flip": lambda kit: kit.controlled("sign_flip", "0"),
    "isotropic": lambda kit: kit.controlled("isotropic", "0"),
    "other_concept": lambda kit: kit.controlled("other_concept", kit.other),
}
"""Every way in which pictures are drawn -> how a concept is steered for it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path, help="folder of captures and of sheets to look at")
    parser.add_argument("--concepts", nargs="+", default=evaluated("pocket"))
    parser.add_argument("--seed", type=int, default=70_000)
    options = parser.parse_args()
    for number, kit in enumerate(kits(options.work)):
        name = kit.subject.name
        if name in options.concepts:
            pictures, rows = drawn(kit, kit.subject.prompts["dev"], options.seed + 10_000 * number)
            write(FOLDER, name, pictures, rows, options.work)


def kits(work: Path) -> Iterator[Kit]:
    """A kit for every concept, with the next one as the other."""
    plan = Plan()
    study = Study(MODEL, plan, work, [])
    subjects = [load_subject(name, "pocket", plan) for name in evaluated("pocket")]
    every = [study.calibrate(one, (1, 3)) for one in study.prepare(subjects)]
    for one, other in zip(every, (*every[1:], every[0]), strict=True):
        yield Kit(one.subject, one.vectors, other.vectors, other.subject.name)


def drawn(kit: Kit, prompts: Any, seed: int) -> tuple[list[np.ndarray], list[tuple[str, int, str]]]:
    """Pictures under every setting with (prompt, seed, setting), in random order."""
    targets = [prompt for prompt in prompts if prompt.role == "target"]
    chosen = spread(targets, min(len(targets), EACH * len(SETTINGS)))
    pictures, rows = [], []
    for i, (setting, how) in enumerate(SETTINGS.items()):
        some = [chosen[(i + j * len(SETTINGS)) % len(chosen)] for j in range(EACH)]
        texts = [prompt.rest if setting == "counterfactual" else prompt.text for prompt in some]
        with how(kit):
            pictures += list(MODEL.generate(texts, seed=seed + EACH * i))
        rows += [(prompt.text, seed + EACH * i + j, setting) for j, prompt in enumerate(some)]
    order = np.random.default_rng(seed).permutation(len(rows))
    return [pictures[i] for i in order], [rows[i] for i in order]


if __name__ == "__main__":
    main()
