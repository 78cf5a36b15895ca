"""A study small enough to run in seconds, on the embedded model at half its size."""

from dataclasses import dataclass
from typing import Any

import pytest

from steering.evaluate.clip_score import PocketClip
from steering.evaluate.metrics import ClipScore, PixelChange, PocketJudge
from steering.models.loading import load_model
from steering.study.plan import Plan
from steering.study.pool import ALONE
from steering.study.results import Result
from steering.study.run import Study
from steering.study.subject import load_subject

TINY = Plan(
    ks=(1, 2),
    presets={"projection": (2.5,), "selective": (3.0,)},
    strengths=(1.0,),
    ranks=(2,),
    maps=(("affine", 4),),
    dev=(2, 2, 2),
    finals=(2, 2, 2),
    test=(5, 4, 4),
    kept=(5, 3, 3),
    side=(4, 2, 2),
    pairs=4,
    steps=3,  # one in each third of the schedule
    size=64,
    batch=4,
)
CONCEPTS = ("dog", "violence")


def subjects(plan=TINY):
    return [load_subject(name, "pocket", plan) for name in CONCEPTS]


def new_study(out, pool=ALONE, plan=TINY, progress=lambda rows: None):
    model = load_model("pocket", "cpu")
    metrics = [PocketJudge(), ClipScore(PocketClip()), PixelChange()]
    return Study(model, plan, out, metrics, pool, progress)


@dataclass(frozen=True)
class Finished:
    """A finished study: what was measured, the report's values, and the UNet rows that it announced."""

    study: Study
    measured: list[Result]
    results: dict[str, Any]
    rows: int


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished study of two concepts."""
    from steering.study.report import write_study

    rows: list[int] = []
    study = new_study(tmp_path_factory.mktemp("study"), progress=rows.append)
    measured = study.run(subjects())
    return Finished(study, measured, write_study(study, measured).results, sum(rows))
