"""The demo: a small plan of the study on the embedded model, for one concept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..evaluate.measures import Measures, metrics_of
from ..models.families import defaults_of
from ..models.loading import load_model
from ..models.sampling import Progress, silent
from . import plan
from .folder import belongs, setting_of
from .plan import Plan, planned
from .report import write_study
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
    presets=plan.QUICK.presets,
    ranks=(),
    dev=(3, 2, 2),
    finals=(3, 2, 2),
    test=(6, 4, 4),
    kept=(6, 0, 0),
    best=(6, 4, 4),
    pairs=12,
)


def with_prompts(demo: Plan, count: int) -> Plan:
    """The plan with ``count`` test prompts of each role."""
    every = (count, count, count)
    return replace(demo, test=every, best=every, kept=(count, 0, 0), side=(min(count, demo.side[0]), 0, 0))


def planned_rows(demo: Plan) -> int:
    """Upper bound of the UNet rows that a demo computes."""
    return planned(demo, 1, defaults_of("pocket").guidance)[2]


def run_demo(concept: str, out: Path, demo: Plan = FULL, progress: Progress = silent) -> dict[str, Any]:
    """Run the demo, or go on where it stopped; returns what ``results.json`` holds."""
    model = load_model("pocket")
    metrics = metrics_of(Measures(), model.family, [concept], out, str(model.device))
    subjects = [load_subject(concept, model.family, demo)]
    belongs(out, setting_of("demo", model, demo, subjects))
    study = Study(model, demo, out, metrics, progress=progress)
    return write_study(study, study.run(subjects))
