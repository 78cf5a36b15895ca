"""Is the LayerNavigator score worth it? ``uv run python benchmarks/layers.py --picture layers.png``.

On the embedded model, for each concept: the mean difference at k sites, chosen by different rules, steered with one
preset and strength; clean pictures and points lost on test prompts, over k. Rules: the score per step and overall,
fitted and scored on the same pairs (paper) or cross-fitted; greedy forward selection; the best k of one kind; and,
as the control, k sites drawn at random, several times.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from arms import Arms, Compared, add_workers, capture_of, shared

import steering
from steering.plots.pictures import new_figure, save_figure
from steering.sites import BLOCKS, KINDS
from steering.study.pool import Pool
from steering.tune.greedy import forward_selection, noised_pairs

KS = (1, 3, 5, 8, 12, 20)
STRENGTH = {"dog": 1.0, "van_gogh": 2.0, "violence": 2.0}
"""Of preset precise; more where 1 is known to leave much."""
RULES = {
    "per step, cross-fitted": ("cross-fitted", "per-step"),
    "per step, paper": ("paper", "per-step"),
    "overall, cross-fitted": ("cross-fitted", "overall"),
    "overall, paper": ("paper", "overall"),
    **{f"best {kind}": ("cross-fitted", f"per-step:{kind}") for kind in KINDS},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--concepts", default="dog,van_gogh,violence")
    parser.add_argument("--prompts", default="100,50,50", help="test prompts: target, sibling, unrelated")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--draws", type=int, default=5, help="random sets of each size")
    parser.add_argument("--work", type=Path, default=Path("benchmarks_work"), help="folder of captures")
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--read", type=Path, nargs="*", help="JSON files of earlier runs: only draw and print them")
    parser.add_argument("--picture", type=Path)
    add_workers(parser)
    options = parser.parse_args()
    if options.read:
        results = {name: rows for path in options.read for name, rows in json.loads(path.read_text()).items()}
    else:
        with shared(options) as (model, pool):
            results = {name: compared(model, name, options, pool) for name in options.concepts.split(",")}
    if options.out:
        options.out.write_text(json.dumps(results))
    for name, rows in results.items():
        print_table(name, rows)
    if options.picture:
        draw(results, options.picture)


def compared(model: steering.DiffusionModel, name: str, options: argparse.Namespace, pool: Pool) -> dict:
    """Rule -> k -> outcomes, each (clean, cost)."""
    activations = capture_of(model, name, options.work)
    scores = {mode: steering.score(activations, mode) for mode in ("cross-fitted", "paper")}
    counts = tuple(int(n) for n in options.prompts.split(","))
    test = Arms(model, name, "test", counts, options.work, options.steps, pool)

    def outcome(select: str, k: int, mode: str = "cross-fitted") -> tuple[float, float]:
        vector = steering.build(activations, scores[mode], top_k=k, select_by=select)
        return figures(test.steered(vector, STRENGTH[name], "precise"))

    def over_ks(title: str, select: Callable[[int], list[str]], mode: str = "cross-fitted") -> None:
        rows[title] = {k: [outcome(one, k, mode) for one in select(k)] for k in KS}
        print(name, title, {k: cell(some) for k, some in rows[title].items()}, file=sys.stderr, flush=True)
        if options.out:  # whatever stops it, what is there stays
            options.out.write_text(json.dumps({name: {"rows": rows, "greedy_order": order}}))

    order: list[str] = []
    rows: dict[str, dict[int, list[tuple[float, float]]]] = {"original": {0: [figures(test.unsteered())]}}
    for title, (mode, select) in RULES.items():
        over_ks(title, lambda k, select=select: [select], mode)
    order += greedy_order(model, name, steering.build(activations, select_by=BLOCKS))
    over_ks("greedy", lambda k: [",".join(order[:k])])
    over_ks("random", lambda k: [f"random:{seed}" for seed in range(options.draws)])
    return json.loads(json.dumps({"rows": rows, "greedy_order": order}))


def greedy_order(model: steering.DiffusionModel, name: str, vector: steering.SteeringVector) -> list[str]:
    entry = vector.entry(strength=STRENGTH[name], preset="precise")
    made = noised_pairs(model, steering.load_pairs(f"pocket/{name}"))
    return [str(one.site) for one in forward_selection(made.rate, entry, max(KS))]


def figures(made: Compared) -> tuple[float, float]:
    return made.outcome.removed, made.outcome.cost


def print_table(name: str, result: dict) -> None:
    rows = result["rows"]
    print(f"\n**{name}**, precise {STRENGTH[name]:g}: percent clean / points lost, over k\n")
    print("| rule | " + " | ".join(str(k) for k in KS) + " |\n|---|" + "---|" * len(KS))
    for title, by_k in rows.items():
        if title != "original":
            cells = [cell(by_k.get(str(k))) for k in KS]
            print(f"| {title} | {' | '.join(cells)} |")
    print(f"\nGreedy order: {', '.join(result['greedy_order'])}")


def cell(outcomes: list | None) -> str:
    if not outcomes:
        return ""
    clean, cost = np.array(outcomes).T
    spread = f" ({clean.min():.0f} to {clean.max():.0f})" if len(outcomes) > 1 else ""
    return f"{clean.mean():.0f}{spread} / {cost.mean():.1f}"


def draw(results: dict, path: Path) -> None:
    """A row of two panels a concept: clean pictures and points lost over k; random sets as a band."""
    figure = new_figure(figsize=(11, 3.4 * len(results)))
    panels = figure.subplots(len(results), 2, squeeze=False)
    for (name, result), axes in zip(results.items(), panels, strict=True):
        for which, axis in enumerate(axes):
            for title, by_k in result["rows"].items():
                if title == "original":
                    continue
                ks = [int(k) for k in by_k]
                values = [np.array(by_k[str(k)])[:, which] for k in ks]
                style = {"color": "black", "linewidth": 2} if title == "random" else {"marker": "o", "markersize": 3}
                style |= {"linestyle": ":"} if title.startswith("best") else {}
                axis.plot(ks, [value.mean() for value in values], label=title, **style)
                if title == "random":
                    axis.fill_between(ks, [v.min() for v in values], [v.max() for v in values], color="0.5", alpha=0.2)
            axis.set_xscale("log")
            axis.set_xticks(KS, [str(k) for k in KS])
            axis.minorticks_off()
            axis.grid(alpha=0.3)
            axis.set_title(f"{name}, precise {STRENGTH[name]:g}", fontsize=10)
            axis.set_ylabel(("clean pictures, %", "points lost")[which])
        axes[0].set_ylim(-2, 102)
        axes[1].legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    for axis in panels[-1]:
        axis.set_xlabel("k, sites steered")
    figure.tight_layout()
    save_figure(figure, path)


if __name__ == "__main__":
    main()
