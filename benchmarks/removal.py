"""Ways of steering side by side, in five parts: ``uv run python benchmarks/removal.py WORK [--prompts 50]``.

Nothing is chosen here: every preset at its usual strength, the directions of several methods, maps of the text
embedding, on the same prompts and seeds, beside the original and the prompts without the concept. WORK keeps captures
and pictures, so that a longer run goes on from a shorter one. Prints tables in Markdown.
"""

import argparse
from pathlib import Path

import numpy as np
from arms import add_workers, measured_by, shared

from steering.concepts.checking import ALIKE, near_duplicates
from steering.concepts.prompts import evaluated
from steering.evaluate.statistics import share
from steering.study import removal
from steering.study.figures import arm_figures, matched
from steering.study.plan import COUNTERFACTUAL, Arm, Plan, needs_thresholds
from steering.study.results import Result
from steering.study.run import Study
from steering.study.setting import Recipe, Setting
from steering.study.subject import load_subject
from steering.study.table import Table, interval
from steering.study.tables import appeared

CROSS = Recipe(1, selection="attn2", time="constant")
SETTINGS = {
    "projection 2.5, k = 1": Setting(Recipe(1), "projection", 2.5),
    "projection 2.5, k = 5": Setting(Recipe(5), "projection", 2.5),
    "projection 2.5, k = 10": Setting(Recipe(10), "projection", 2.5),
    "projection 2.5, k = 5, cpca-source": Setting(Recipe(5, "cpca-source"), "projection", 2.5),
    "casteer 2, k = 10": Setting(Recipe(10), "casteer", 2.0),
    "precise 1, k = 8": Setting(Recipe(8), "precise", 1.0),
    "selective 3, k = 10": Setting(Recipe(10), "selective", 3.0),
    "selective 3, k = 10, rank 3": Setting(Recipe.of_rank(10, 3), "selective", 3.0),
    "precise 1.5, all attn2": Setting(CROSS, "precise", 1.5),
    "lora 1, all attn2": Setting(CROSS, "lora", 1.0),
    "conditional 1, text, kernel": Setting.of_map(),
    **{
        f"conditional {strength:g}, text, rank {rank}": Setting(Recipe.of_text("affine", rank), "conditional", strength)
        for rank, strength in ((4, 1.0), (8, 1.0), (16, 1.0), (8, 1.5))
    },
}
"""What is compared."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--concepts", nargs="+", default=evaluated("pocket"))
    parser.add_argument("--prompts", type=int, default=50, help="prompts of each role")
    parser.add_argument("--split", default="test", choices=("dev", "test"))
    parser.add_argument("--only", default="", help="settings whose name holds this")
    add_workers(parser)
    options = parser.parse_args()
    with shared(options) as (model, pool):
        figures, known = compared(Study(model, Plan(), options.work, measured_by(model), pool), options)
    for table in (parts(figures), appeared(figures), known):
        print(table.markdown(), "\n")


def compared(study: Study, options: argparse.Namespace) -> tuple[dict, Table]:
    """Concept -> setting -> figures; and how clean targets are that the pairs have all but shown, beside the others."""
    counts = (options.prompts,) * 3
    settings = {name: setting for name, setting in SETTINGS.items() if options.only in name}
    arms = [
        Arm("original", "original", counts, split=options.split),
        Arm(COUNTERFACTUAL, COUNTERFACTUAL, (counts[0], 0, 0), split=options.split, rest=True),
        *(Arm(name, "setting", counts, setting, split=options.split) for name, setting in settings.items()),
    ]
    figures, rows = {}, []
    for one in study.prepare([load_subject(name, "pocket", Plan()) for name in options.concepts]):
        gated = any(needs_thresholds(setting.preset) for setting in settings.values())
        ready = study.calibrate(one, (1, 3)) if gated else one
        (result,) = study.measure([Result(ready.subject, arms, {}, ready.vectors)], counts)
        figures[one.subject.name] = {arm.name: arm_figures(arm, result.measurements) for arm in arms}
        rows += [row for arm in arms[1:] if (row := by_nearness(result, arm.name))]
    head = ("concept", "setting", "nearly a pair's: n", "clean, %", "others: n", "clean, %")
    about = f"Nearly a pair's: at least {100 * ALIKE:g} % of its words, in all of both, are a prompt's of the pairs."
    return figures, Table("Targets that the pairs have all but shown", head, tuple(rows), about)


def by_nearness(result: Result, arm: str) -> tuple[str, ...] | None:
    """Clean targets among those that differ from a pair's prompt by a word or two, and among the others."""
    targets, before = matched(result.measurements[arm], result.measurements["original"], "target")
    clean = removal.clean(targets, before)
    if clean is None:
        return None
    shown = [text for pair in result.subject.pairs for text in (pair.positive, pair.negative)]
    texts = [item.prompt.text for item in targets.items]
    near = np.isin(texts, [prompt for prompt, _ in near_duplicates(texts, shown)])
    cells = [str(cell) for some in (clean[near], clean[~near]) for cell in (len(some), interval(share(some > 0.5)))]
    return (result.subject.name, arm, *cells)


def parts(concepts: dict) -> Table:
    rows = []
    for concept, figures in concepts.items():
        for name, arm in figures.items():
            made = arm.removal
            losses = [arm.losses.get(role) for role in ("sibling", "unrelated")]
            costs = [f"{loss.loss.mean:.1f} (≤ {loss.bound:.1f})" if loss else "" for loss in losses]
            shown = [interval(part) for part in (made.clean, made.presence, made.debris, made.kept)]
            rows.append((concept, name, *shown, "" if made.distance is None else f"{100 * made.distance:.0f}", *costs))
    head = ("concept", "setting", "clean, %", "presence", "debris", "kept", "counterfactual", "siblings", "unrelated")
    return Table("Clean removal, and what it costs", head, tuple(rows), "Counterfactual: mean over both spaces.")


if __name__ == "__main__":
    main()
