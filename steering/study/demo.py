"""The demo: a small plan of the study on the embedded model, for one concept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..concepts.prompts import evaluated
from ..evaluate.measures import Measures, metrics_of
from ..families import family_named
from ..models.loading import load_model
from ..models.sampling import Progress, silent
from . import plan
from .folder import run_fingerprint, work_in
from .plan import Plan, planned
from .records import ArmFigures
from .report import StudyReport, write_study
from .run import Study
from .subject import load_subject

FULL = replace(
    plan.FULL,
    presets=MappingProxyType({**plan.FULL.presets, "selective": (*plan.FULL.presets["selective"], 4.0)}),
    strengths=(0.5, 1.0, 1.5, 2.0),
    kept=(100, 0, 0),
    best=(100, 100, 100),
    side=(3, 0, 0),
    questions=("control", "floor", "strength"),
    batch=20,
)
"""What the demo asks: which k and setting, what that costs, whether another direction does it too."""
QUICK = replace(
    FULL,
    ks=(1, 5, 10),
    presets=plan.QUICK.presets,
    ranks=(),
    maps=plan.QUICK.maps,
    draws=2,
    dev=(3, 2, 2),
    finals=(3, 2, 2),
    test=(6, 4, 4),
    kept=(6, 0, 0),
    best=(6, 4, 4),
    pairs=12,
    steps=20,
)


def with_prompts(demo: Plan, count: int) -> Plan:
    """The plan with ``count`` test prompts of each role."""
    every = (count, count, count)
    return replace(demo, test=every, best=every, kept=(count, 0, 0), side=(min(count, demo.side[0]), 0, 0))


def planned_rows(demo: Plan) -> int:
    """Upper bound of the UNet rows that a demo computes."""
    return planned(demo, 1, len(evaluated("pocket")) - 1, family_named("pocket").guidance)[2]


def run_demo(concept: str, out: Path, demo: Plan = FULL, progress: Progress = silent) -> StudyReport:
    """Run the demo, or go on where it stopped."""
    model = load_model("pocket")
    metrics = metrics_of(Measures(), model.family, [concept], out, str(model.device))
    subjects = [load_subject(concept, model.family, demo)]
    with work_in(out, run_fingerprint("demo", model, demo, subjects)):
        study = Study(model, demo, out, metrics, progress=progress)
        return write_study(study, study.run(subjects))


def summary(concept: str, written: StudyReport) -> dict[str, Any]:
    """What a demo found, as JSON values: means, 0 to 100; distances in percent of the original's.

    ``projection`` is the source study's setting at its best number of sites, ``chosen`` the one that dev prompts chose.
    """
    about, figures = written.results["concepts"][concept], written.figures[concept]
    arms = {"original": "original", "projection": f"study_k{about['study_k']}", "chosen": "chosen"}
    steered = {name: figures[arm] for name, arm in arms.items() if name != "original"}
    return {
        "concept": concept,
        "chosen": about["chosen"],
        "n": figures["original"].n,
        "target": {name: _parts(figures[arm]) for name, arm in arms.items()},
        "siblings": {name: _losses(arm, "sibling") for name, arm in steered.items()},
        "unrelated": {name: _losses(arm, "unrelated") for name, arm in steered.items()},
        "controls": {name: _parts(arm) for name, arm in figures.items() if arm.group == "control"},
    }


def _parts(arm: ArmFigures) -> dict[str, Any]:
    parts = ("presence", "debris", "kept", "clean")
    found = {name: getattr(arm.removal, name) for name in parts}
    means = {name: None if value is None else round(value.mean, 2) for name, value in found.items()}
    far = arm.removal.distance
    return {**means, "counterfactual": None if far is None else round(100 * far, 2)}


def _losses(arm: ArmFigures, role: str) -> dict[str, float]:
    part = arm.losses[role]
    return {
        "loses": round(part.loss.mean, 2),
        "bound": round(part.bound, 2),
        "gains_concept": round(part.gains_concept.mean, 2),
    }
