"""How far a removal holds: ``uv run python benchmarks/robustness.py WORK``.

On the embedded model, for each concept and for two fixed settings, nothing chosen anew: vectors of fewer and of
resampled pairs; other seeds, numbers of steps, samplers and sizes than the vectors were made with; words before and
after the prompt that no pair holds; and a fine-tuned model, steered by the vectors of the model it came from. Test
prompts, in five parts; beside them what the prompts without the concept give when they are drawn in the same way. WORK
keeps captures and pictures, and the same command goes on there. Prints tables in Markdown; ``--out`` keeps every figure
as JSON.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from arms import add_workers, measured_by, shared
from fine_tuned import fine_tuned, moved
from samplers import Sampler, dpm_solver, euler_ancestral, heun, sampled

from steering import Activations, DiffusionModel
from steering.activations.capture import capture
from steering.concepts.prompts import Prompt
from steering.scores.navigator import score, usual_mode
from steering.sites import TEXT_KIND
from steering.study.figures import arm_figures
from steering.study.plan import COUNTERFACTUAL, Arm, Plan
from steering.study.pool import ALONE, Pool
from steering.study.records import ArmFigures
from steering.study.results import Prepared, Result
from steering.study.run import Study
from steering.study.setting import Recipe, Setting
from steering.study.subject import load_subject
from steering.study.vectors import ConceptActivations, Vectors

SETTINGS = {"local map": Setting.of_map(), "projection 2.5, k = 5": Setting(Recipe(5), "projection", 2.5)}
"""What a study chooses, and the source study's preset."""
PARTS = ("clean", "presence", "loses")


@dataclass(frozen=True)
class Drawing:
    """A way of drawing test prompts.

    Attributes:
        name: what it is called.
        plan: what of the plan is different.
        seeds: number of the series of seeds; 0 are the prompts' own.
        sampler: in place of Euler's method.
        before, after: what stands before and after every prompt.
    """

    name: str
    plan: dict[str, Any] = field(default_factory=dict)
    seeds: int = 0
    sampler: Sampler | None = None
    before: str = ""
    after: str = ""


DRAWINGS = (
    Drawing("30 steps, Euler, 128 x 128"),
    *(Drawing(f"other seeds, {number}", seeds=number) for number in (1, 2, 3)),
    *(Drawing(f"{steps} steps", {"steps": steps}) for steps in (10, 20, 50)),
    Drawing("Heun, 15 steps", {"steps": 15}, sampler=heun),
    Drawing("Euler ancestral", sampler=euler_ancestral),
    Drawing("DPM-Solver++(2M), 15 steps", {"steps": 15}, sampler=dpm_solver),
    *(Drawing(f"{size} x {size}", {"size": size}) for size in (96, 160)),
    Drawing("behind two other words", before="calm light, "),
    Drawing("behind four other phrases", before="calm light, soft colours, high quality, a quiet day, "),
    Drawing("before two other phrases", after=", calm light, soft colours"),
)
SUBSETS = (5, 10, 20)
"""Numbers of pairs, each drawn `DRAWS` times without replacement."""
DRAWS = 3


def subsets(count: int) -> dict[str, list[np.ndarray]]:
    """Title -> the numbers of some pairs, drawn several times."""
    rng = np.random.default_rng(0)
    some = {f"{size} pairs": [rng.permutation(count)[:size] for _ in range(DRAWS)] for size in SUBSETS}
    # Pairs that are drawn twice stand once: no pair is learned from and held out at once.
    again = [np.unique(rng.integers(0, count, count)) for _ in range(DRAWS)]
    return {**some, f"{count} pairs drawn again with replacement": again}


def of_pairs(model: DiffusionModel, ready: Prepared, chosen: np.ndarray) -> Prepared:
    """A concept known by some of its pairs alone."""
    numbers, blocks = torch.from_numpy(np.sort(chosen)), ready.vectors.captured.blocks
    part = Activations({s: t[:, numbers] for s, t in blocks.tensors.items()}, blocks.sigmas, blocks.metadata)
    text = capture(model, [ready.subject.pairs[i] for i in sorted(chosen)], sites=TEXT_KIND, concept=ready.subject.name)
    return replace(ready, vectors=Vectors(ConceptActivations(part, text), score(part, usual_mode(part))))


def reseeded(ready: Prepared, number: int) -> Prepared:
    """A concept whose test prompts have seeds of another series."""
    prompts = ready.subject.prompts["test"]
    return tested_on(ready, [replace(prompt, seed=1_000_000 * number + i) for i, prompt in enumerate(prompts)])


def reworded(ready: Prepared, how: Drawing) -> Prepared:
    """A concept whose test prompts, and what they are without it, stand among other words."""

    def framed(text: str) -> str:
        return f"{how.before}{text}{how.after}"

    prompts = ready.subject.prompts["test"]
    return tested_on(ready, [replace(p, text=framed(p.text), rest=framed(p.rest) if p.rest else "") for p in prompts])


def tested_on(ready: Prepared, prompts: Sequence[Prompt]) -> Prepared:
    """A concept with other test prompts."""
    subject = ready.subject
    return replace(ready, subject=replace(subject, prompts={**subject.prompts, "test": prompts}))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--concepts", nargs="+", default=["dog", "van_gogh", "violence"])
    parser.add_argument("--prompts", type=int, nargs=3, default=(20, 10, 10), help="target, sibling, unrelated")
    parser.add_argument("--only", default="", help="conditions whose name holds this")
    parser.add_argument("--out", type=Path)
    add_workers(parser)
    options = parser.parse_args()
    rows: list[Row] = []
    with shared(options) as (model, pool):
        for row in conditions(Bench(model, options.work, tuple(options.prompts), pool), options):
            rows.append(row)
            print(row.name, {name: row.cells(name, "local map") for name in row.figures}, flush=True)
            if options.out:
                values = [{"condition": one.name, "group": one.group, **one.values()} for one in rows]
                options.out.write_text(json.dumps(values, indent=1))
    for title in SETTINGS:
        print_table(title, rows, options.concepts)


@dataclass(frozen=True)
class Row:
    """What a condition gave: concept -> arm -> figures of every draw of it."""

    group: str
    name: str
    figures: dict[str, dict[str, list[ArmFigures]]]

    def cells(self, concept: str, arm: str) -> str:
        """Clean in percent, presence, and the most that siblings or unrelated prompts lose; a range over draws."""
        return " / ".join(ranged(some) for some in self._parts(concept, arm))

    def _parts(self, concept: str, arm: str) -> list[list[float]]:
        made = self.figures[concept][arm]
        clean = [one.removal.clean.mean if one.removal.clean else float("nan") for one in made]
        lost = [max((loss.loss.mean for loss in one.losses.values()), default=0.0) for one in made]
        return [clean, [one.presence.mean for one in made], lost]

    def values(self) -> dict[str, dict[str, Any]]:
        """Every figure as numbers."""
        return {
            concept: {arm: dict(zip(PARTS, self._parts(concept, arm), strict=True)) for arm in arms}
            for concept, arms in self.figures.items()
        }


def ranged(some: Sequence[float]) -> str:
    """The least and the most of some values; once where they are the same to a whole number."""
    low, high = (f"{round(value) or 0}" for value in (min(some), max(some)))
    return low if low == high else f"{low} to {high}"


@dataclass(frozen=True)
class Bench:
    """Where concepts are drawn and measured."""

    model: DiffusionModel
    work: Path
    counts: tuple[int, int, int]
    pool: Pool

    def study(self, folder: Path, **plan: Any) -> Study:
        return Study(self.model, replace(Plan(), **plan), folder, measured_by(self.model), self.pool)

    def here(self, model: DiffusionModel | None = None) -> "Bench":
        """The same without workers, who know neither other samplers nor another model."""
        return replace(self, model=model or self.model, pool=ALONE)

    def measured(self, study: Study, some: Sequence[Prepared]) -> dict[str, dict[str, ArmFigures]]:
        """Concept -> arm -> figures, each concept with its own vectors."""
        targets = (self.counts[0], 0, 0)
        arms = [
            Arm("original", "original", self.counts),
            Arm(COUNTERFACTUAL, COUNTERFACTUAL, targets, rest=True),
            *(Arm(name, "setting", self.counts, setting) for name, setting in SETTINGS.items()),
        ]
        made = study.measure([Result(one.subject, arms, {}, one.vectors) for one in some], self.counts)
        return {one.subject.name: {arm.name: arm_figures(arm, one.measurements) for arm in arms} for one in made}


def conditions(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    """Every condition, as it is done."""
    study, only = bench.study(bench.work), options.only
    every = study.prepare([load_subject(name, "pocket", Plan()) for name in options.concepts])
    for how in DRAWINGS:
        if only in how.name:
            # Units of pictures know no sampler, so each has a folder of its own.
            place, folder = (bench.here(), how.sampler.__name__) if how.sampler else (bench, "")
            with sampled(bench.model, how.sampler) if how.sampler else nullcontext():
                some = [reseeded(one, how.seeds) for one in every] if how.seeds else every
                some = [reworded(one, how) for one in some]
                made = place.measured(place.study(bench.work / folder, **how.plan), some)
            yield row("drawing", how.name, [made])
    for title, draws in subsets(len(every[0].subject.pairs)).items():
        if only in title:
            some = [[of_pairs(bench.model, one, chosen) for one in every] for chosen in draws]
            yield row("pairs", title, [bench.measured(study, ready) for ready in some])
    if only in "fine-tuned":
        folder = bench.work / "fine_tuned"
        tuned = bench.here(fine_tuned(folder))
        study = tuned.study(folder)
        name = f"fine-tuned (weights moved by {100 * moved(bench.model, tuned.model):.0f} %)"
        yield row("model", f"{name}, vectors of the model it came from", [tuned.measured(study, every)])
        own = study.prepare([one.subject for one in every])
        yield row("model", "fine-tuned, vectors of its own", [tuned.measured(study, own)])


def row(group: str, name: str, draws: list[dict[str, dict[str, ArmFigures]]]) -> Row:
    """Figures of several draws, arm by arm."""
    return Row(
        group,
        name,
        {concept: {arm: [one[concept][arm] for one in draws] for arm in arms} for concept, arms in draws[0].items()},
    )


def print_table(title: str, rows: Sequence[Row], concepts: Sequence[str]) -> None:
    print(f"\n**{title}**: clean, % / presence / points that siblings or unrelated prompts lose, whichever is more\n")
    heads = [head for name in concepts for head in (name, "without it")]
    print(f"| condition | {' | '.join(heads)} |\n|{'---|' * (1 + len(heads))}")
    for one in rows:
        cells = []
        for name in concepts:
            clean = [figures.removal.clean for figures in one.figures[name][COUNTERFACTUAL]]
            cells += [one.cells(name, title), ranged([part.mean for part in clean if part])]
        print(f"| {one.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
