"""Methods of making directions against each other: ``uv run python benchmarks/methods.py``.

On the embedded model, for each concept: every method makes directions at the same sites (k a step, cross-fitted
scores), steers with preset precise, and takes the strength that dev prompts choose (most clean pictures less points
lost); then test prompts: the parts of a removal with 95 % intervals, losses with one-sided 95 % bounds, and the seconds
to build. ``--cost`` measures instead what steering adds to the time of a picture. Prints tables in Markdown; ``--out``
keeps every value a prompt as JSON.
"""

import argparse
import json
import time
from pathlib import Path

from arms import HEAD, Arms, add_workers, capture_of, shared

import steering
from steering.study.pool import Pool

K = {"dog": 8, "van_gogh": 3, "violence": 8}
"""Sites a step: what the demo chose on dev prompts."""
STRENGTHS = (0.75, 1.0, 1.5, 2.0, 3.0)
PROTECTED = {"dog": "cat", "van_gogh": "sketch", "violence": "key"}
"""The sibling whose pairs are protected."""
FIVE = {"direction": "cpca-paired", "components": 5}
METHODS: dict[str, dict] = {
    "mean difference": {},
    "mean difference, constant in time": {"time": "constant"},
    "pca, 2 directions": {"direction": "pca", "rank": 2},
    "pca, 3 directions": {"direction": "pca", "rank": 3},
    "cpca-source": {"direction": "cpca-source"},
    "cpca, alpha 1": {"direction": "cpca"},
    "cpca, alpha auto": {"direction": "cpca", "alpha": "auto"},
    "cpca-denoised, alpha 1": {"direction": "cpca-denoised"},
    "cpca-paired, alpha 1": FIVE,
    "cpca-paired, alpha 1, background within": {**FIVE, "background": "within"},
    "cpca-paired, alpha 1, background early": {**FIVE, "background": "early"},
    "cpca-paired, alpha 1, background neutral pairs": {**FIVE, "background": "neutral"},
    "cpca-paired, alpha 5, background neutral pairs": {**FIVE, "alpha": 5, "background": "neutral"},
    "cpca-paired, alpha 5": {**FIVE, "alpha": 5},
    "cpca-paired, alpha auto": {**FIVE, "alpha": "auto"},
    "cpca-paired, alpha 1, 3 directions": {"direction": "cpca-paired", "rank": 3},
    "whitened": {"direction": "whitened"},
    "mean difference, sibling protected": {"protect": True},
}
"""Title -> arguments of `steering.build`; a background may name a concept's pairs, protect means `PROTECTED`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--concepts", default="dog,van_gogh,violence")
    parser.add_argument("--dev", type=int, default=25, help="dev prompts of each role")
    parser.add_argument("--test", type=int, default=100, help="test prompts of each role")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--work", type=Path, default=Path("benchmarks_work"), help="folder of captures")
    parser.add_argument("--only", default="", help="methods whose title holds this")
    parser.add_argument("--without", help="methods whose title does not hold this")
    parser.add_argument("--cost", action="store_true", help="time pictures instead")
    parser.add_argument("--out", type=Path)
    add_workers(parser)
    options = parser.parse_args()
    if options.cost:
        print_cost(steering.load_model("pocket"), options.work)
        return
    with shared(options) as (model, pool):
        kept = {name: compared(model, name, options, pool) for name in options.concepts.split(",")}
    if options.out:
        options.out.write_text(json.dumps(kept))


def compared(model: steering.DiffusionModel, name: str, options: argparse.Namespace, pool: Pool) -> dict:
    captures = {other: capture_of(model, other, options.work) for other in (name, PROTECTED[name], "neutral")}
    scores = steering.score(captures[name])
    dev, test = (
        Arms(model, name, split, (n,) * 3, options.work, options.steps, pool)
        for split, n in (("dev", options.dev), ("test", options.test))
    )
    print(f"\n**{name}**, k = {K[name]}, n = {options.test} test prompts of each role, {options.dev} dev\n")
    print(f"| method | strength | {HEAD} | build, s |\n|{'---|' * 9}")
    print(f"| original |  | {test.unsteered().cells()} |  |")
    kept, skipped = {}, options.without
    for title, how in METHODS.items():
        if options.only not in title or (skipped and skipped in title):
            continue
        started = time.perf_counter()
        vector = steering.build(captures[name], scores, top_k=K[name], **arguments(how, captures, name))
        built = time.perf_counter() - started
        tried = {strength: dev.steered(vector, strength, "precise") for strength in STRENGTHS}
        strength = max(tried, key=lambda one: tried[one].outcome.worth)
        made = test.steered(vector, strength, "precise")
        print(f"| {title} | {strength:g} | {made.cells()} | {built:.1f} |", flush=True)
        kept[title] = {
            "strength": strength,
            "dev": {str(s): [o.presence.mean(), o.sibling.mean(), o.unrelated.mean()] for s, o in tried.items()},
            **{part: getattr(made, part).tolist() for part in ("presence", "sibling", "unrelated")},
        }
    return json.loads(json.dumps(kept, default=float))


def arguments(how: dict, captures: dict, name: str) -> dict:
    """Arguments with names of concepts replaced by their captures."""
    given = dict(how)
    if given.get("background") in captures:
        given["background"] = captures[given["background"]]
    if given.pop("protect", False):
        given["protect"] = [captures[PROTECTED[name]]]
    return given


def print_cost(model: steering.DiffusionModel, work: Path) -> None:
    """Time of pictures steered at eight sites a step against unsteered ones, side by side, the fastest of several."""
    activations = capture_of(model, "dog", work)
    ways = {
        "one direction": {},
        "two directions": {"direction": "pca", "rank": 2},
        "three directions": {"direction": "pca", "rank": 3},
        "whitened": {"direction": "whitened"},
    }
    vectors = {title: steering.build(activations, top_k=8, **how) for title, how in ways.items()}
    taken: dict[str, list[float]] = {title: [] for title in ("unsteered", *vectors)}
    for _ in range(REPEATS):
        taken["unsteered"].append(seconds(model))
        for title, vector in vectors.items():
            with steering.steer(model, vector, strength=1.0, preset="precise"):
                taken[title].append(seconds(model))
    print(f"\n| steering with | time of {TIMED} pictures, unsteered = 1 |\n|---|---|")
    for title in vectors:
        print(f"| {title} | {min(taken[title]) / min(taken['unsteered']):.3f} |")


REPEATS, TIMED = 5, 8


def seconds(model: steering.DiffusionModel) -> float:
    started = time.perf_counter()
    model.generate(["a dog"] * TIMED, batch=TIMED)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
