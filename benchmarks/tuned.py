"""Tuned vectors against the source study's fixed setting: ``uv run python benchmarks/tuned.py tuned/*.safetensors``.

The vectors are those of ``steering tune pocket CONCEPT --out tuned/CONCEPT.safetensors``, steered as their files
recommend; against the source study's plain projection at 2.5 at k = 3 and 8, built from the same pairs. Test prompts:
means with 95 % intervals, losses with one-sided bounds; then the tuned vector minus that, prompt by prompt.
"""

import argparse
from pathlib import Path

from arms import HEAD, Arms, add_workers, capture_of, shared

import steering
from steering.evaluate.statistics import estimate
from steering.study.pool import Pool

KS = (3, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("vectors", type=Path, nargs="+")
    parser.add_argument("--prompts", type=int, default=100, help="test prompts of each role")
    parser.add_argument("--work", type=Path, default=Path("benchmarks_work"), help="folder of captures")
    add_workers(parser)
    options = parser.parse_args()
    with shared(options) as (model, pool):
        for path in options.vectors:
            compared(model, steering.SteeringVector.load(path), options, pool)


def compared(
    model: steering.DiffusionModel, vector: steering.SteeringVector, options: argparse.Namespace, pool: Pool
) -> None:
    name = str(vector.metadata["concept"])
    activations = capture_of(model, name, options.work)
    test = Arms(model, name, "test", (options.prompts,) * 3, options.work, 30, pool)
    tuned = test.steered(vector, None, None)
    advice = dict(vector.recommended.to_json())
    print(f"\n**{name}**, tuned: {vector.metadata['recommended']['tuned']['setting']} {advice}\n")
    print(f"| setting | {HEAD} |\n|{'---|' * 7}")
    print(f"| original | {test.unsteered().cells()} |")
    print(f"| tuned | {tuned.cells()} |")
    scores = steering.score(activations)
    study = {k: test.steered(steering.build(activations, scores, top_k=k), 2.5, "projection") for k in KS}
    for k, outcome in study.items():
        print(f"| projection 2.5, k = {k} | {outcome.cells()} |")
    print("\n| tuned minus projection 2.5 | presence | siblings lose | unrelated lose |\n|---|---|---|---|")
    for k, outcome in study.items():
        parts = ("presence", "sibling", "unrelated")
        cells = (str(estimate(getattr(tuned, part) - getattr(outcome, part))) for part in parts)
        print(f"| k = {k} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
