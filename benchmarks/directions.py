"""Directions against each other on dev prompts: ``uv run python benchmarks/directions.py ACTIVATIONS --concept dog``.

The capture is one of the embedded model (``steering capture pocket dog --out acts.safetensors``). Every direction
steers the same k sites a step with preset precise at strength 1; presence of the concept on target prompts, and what
sibling and unrelated prompts lose, means with 95 % intervals and one-sided bounds.
"""

import argparse
from pathlib import Path

import numpy as np

import steering
from steering.evaluate.metrics import measure
from steering.evaluate.prompts import ROLES, load_concept, load_prompts, take
from steering.evaluate.statistics import estimate, upper_bound
from steering.steer import steer

DIRECTIONS: dict[str, dict] = {
    "mean": {},
    "cpca, alpha 1": {"direction": "cpca"},
    "cpca, alpha auto": {"direction": "cpca", "alpha": "auto"},
    **{
        f"cpca-paired, 5 components, alpha {a}": {"direction": "cpca-paired", "components": 5, "alpha": a}
        for a in (0, 1, 5, 30, "auto")
    },
}
"""Title -> arguments of `steering.build`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("activations", type=Path)
    parser.add_argument("--concept", default="dog")
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--prompts", type=int, default=25, help="dev prompts of each role at most")
    options = parser.parse_args()
    model, concept = steering.load_model("pocket"), load_concept(options.concept)
    activations = steering.Activations.load(options.activations)
    scores = steering.score(activations)
    prompts = [p for role in ROLES for p in take(load_prompts(options.concept, "dev"), role, options.prompts)]
    roles = np.array([prompt.role for prompt in prompts])

    def measured(vector: steering.SteeringVector | None):
        if vector is None:
            return measure(model.generate([p.text for p in prompts], seed=10_000, batch=25), prompts, concept)
        with steer(model, vector, 1.0, "precise"):
            return measured(None)

    before = measured(None)
    print(f"{options.concept}, dev prompts, preset precise 1, k = {options.k}, n = {options.prompts} a role\n")
    print("| direction | presence | siblings lose | unrelated lose |\n|---|---|---|---|")
    print(f"| original | {estimate(before.presence[roles == 'target'])} |  |  |", flush=True)
    for name, arguments in DIRECTIONS.items():
        vector = steering.build(activations, scores, top_k=options.k, **arguments)
        after = measured(vector)
        losses = [(before.kept - after.kept)[roles == role] for role in ROLES[1:]]
        cells = " | ".join(f"{loss.mean():.1f} (≤ {upper_bound(loss):.1f})" for loss in losses)
        print(f"| {name} | {estimate(after.presence[roles == 'target'])} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
