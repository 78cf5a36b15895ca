"""A study small enough to run in seconds, on the embedded model at half its size."""

import threading

import pytest

from steering.diffusion import load_model
from steering.evaluate.clip_score import PocketClip
from steering.evaluate.metrics import ClipScore, PixelChange, PocketJudge
from steering.study.crew import Crew
from steering.study.plan import Plan
from steering.study.run import Study, load_subject

TINY = Plan(
    ks=(1, 2),
    presets={"study": (2.5,), "selective": (3.0,)},
    strengths=(1.0,),
    ranks=(2,),
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


def new_study(out, crew=None, plan=TINY, progress=lambda rows: None):
    model = load_model("pocket", "cpu")
    subjects = [load_subject(name, "pocket", plan) for name in CONCEPTS]
    metrics = [PocketJudge(), ClipScore(PocketClip()), PixelChange()]
    return Study(model, plan, subjects, out, metrics, crew or Crew(), progress)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished study, its report's values, and the UNet rows that it announced."""
    from steering.study.report import write_study

    rows: list[int] = []
    study = new_study(tmp_path_factory.mktemp("study"), progress=rows.append)
    study.run()
    return study, write_study(study), sum(rows)


def together(*jobs):
    """Run functions at once; raises what the first of them raised."""
    failures: list[BaseException] = []

    def guarded(job):
        try:
            job()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
