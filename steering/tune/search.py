"""The search: trials on few prompts and steps, the hopeless given up at a glance, then the best on all dev prompts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..activations.parts import capture_rows
from ..evaluate.metrics import Metric
from ..files import write_text
from ..models.diffusion import DiffusionModel
from ..models.sampling import Progress, rows_of, silent
from ..study.choice import Outcome, choose, pareto, promising
from ..study.plan import Counts, Plan
from ..study.pool import ALONE, Pool
from ..study.results import Prepared
from ..study.run import Study
from ..study.setting import MAPS, Setting
from ..study.subject import Subject
from ..vectors.vector import SteeringVector, recommend
from .perturb import perturbed
from .space import LADDER
from .trials import Trials

SOURCE = ("projection", 2.5)
"""The source study's preset and strength."""
DEFAULT = Setting.of_map(*MAPS[0])
"""What Quick Steering does: the first of the maps of the text, as it is usually applied."""
RANKS = (1, 2, 3)
"""Numbers of directions that gate thresholds are measured for."""


@dataclass(frozen=True)
class Budget:
    """How much a search does.

    Attributes:
        trials: settings that are tried.
        glance: dev prompts of each role (target, sibling, unrelated) on which a trial is given up or not.
        few: those of a trial that is not.
        steps: sampling steps of trials.
        finals: settings that are compared on all dev prompts and steps, beside the source study's own and the default.
        all: dev prompts of each role there.
    """

    trials: int = 80
    glance: Counts = (4, 2, 2)
    few: Counts = (12, 8, 8)
    steps: int = 15
    finals: int = 8
    all: Counts = (50, 50, 50)


FULL = Budget()
QUICK = Budget(trials=14, glance=(2, 1, 1), few=(4, 2, 2), steps=8, finals=2, all=(4, 3, 3))
HOPELESS = 50.0
"""Points of worth behind the best at a glance from which on a trial is given up: two of four prompts."""
TOLD_EVERY = 10
"""Trials after which is told how the search stands."""


Tell = Callable[[str, Sequence[Outcome]], None]
"""Called now and then with what was reached and all outcomes so far."""


def _say_nothing(_name: str, _outcomes: Sequence[Outcome]) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        prepared: the concept with its vectors.
        tried: outcomes of the trials that were not given up, by setting.
        given_up: the settings of those that were.
        finals: outcomes on all dev prompts.
        taken: the one of these that is taken.
    """

    prepared: Prepared
    tried: Mapping[Setting, Outcome]
    given_up: Sequence[Setting]
    finals: Sequence[Outcome]
    taken: Outcome


@dataclass(frozen=True, eq=False)
class Search:
    """What is searched, and how.

    Attributes:
        study: at the final number of steps.
        subject: the concept.
        budget: how much is done.
        exportable: whether only what a LoRA holds exactly is tried.
        tell: called now and then with what was reached and all outcomes so far.
    """

    study: Study
    subject: Subject
    budget: Budget
    exportable: bool = False
    tell: Tell = _say_nothing

    def run(self) -> Found:
        """Capture, search, and take the best."""
        (prepared,) = self.study.prepare([self.subject])
        if not self.exportable:
            prepared = self.study.calibrate(prepared, RANKS)
        prepared = replace(prepared, subject=perturbed(prepared.subject, self.study.model.family))
        tried, given_up = self._try(prepared)
        finals = self.study.compare(prepared, self._finalists(tried), self.budget.all)
        self.tell("all dev prompts", finals)
        return Found(prepared, tried, given_up, finals, choose(finals))

    def _try(self, prepared: Prepared) -> tuple[dict[Setting, Outcome], list[Setting]]:
        """Make all trials; those of an earlier run are measured again from their pictures."""
        rough = replace(self.study, plan=replace(self.study.plan, steps=self.budget.steps))
        trials = Trials(self.study.out / "optuna.db", self.exportable)
        done = trials.done
        best, tried, given_up = -float("inf"), {}, {}
        for number in range(self.budget.trials):
            setting = done[number] if number < len(done) else trials.ask()
            (glanced,) = rough.compare(prepared, [setting], self.budget.glance)
            best, outcome = max(best, glanced.worth), None
            if glanced.worth > best - HOPELESS or setting in tried or setting.preset == SOURCE[0]:
                (outcome,) = rough.compare(prepared, [setting], self.budget.few)
                tried[setting] = outcome
            else:
                given_up[setting] = None
                self.study.progress(self.rows(self.budget.few))
            if number >= len(done):
                trials.tell(outcome)
            if (number + 1) % TOLD_EVERY == 0:
                self.tell(f"trial {number + 1} of {self.budget.trials}", list(tried.values()))
        return tried, list(given_up)

    def told(self, progress: Progress, pool: Pool = ALONE) -> Search:
        """The same search that tells how far it is, with somebody to do the work."""
        return replace(self, study=replace(self.study, progress=progress, pool=pool))

    def rows(self, counts: Counts) -> int:
        """UNet rows of a trial on some prompts: steered, original, and targets without the concept."""
        guidance = self.study.settings.on(self.study.model).guidance
        return rows_of(2 * sum(counts) + counts[0], self.budget.steps, guidance)

    def _finalists(self, tried: Mapping[Setting, Outcome]) -> list[Setting]:
        """The settings of the highest worth, the best with the source study's own preset and strength, and the default.

        A few prompts are a rough judge: with these two among the finalists, what is taken is no worse on dev prompts
        than what the source study does, nor than what needs no search.
        """
        outcomes = list(tried.values())
        sources = [one for one in outcomes if (one.setting.preset, one.setting.strength) == SOURCE]
        usual = [one for one in outcomes if one.setting == DEFAULT]
        best = promising(outcomes, self.budget.finals) + promising(sources, 1) + usual
        return list(dict.fromkeys(one.setting for one in best))

    def vector(self, found: Found, taken: Outcome | None = None) -> SteeringVector:
        """The vector of an outcome (the one taken), with its setting as the file's recommendation."""
        outcome = taken or found.taken
        advice = outcome.setting.recommendation(self.study.model.schedule)
        made = found.prepared.vectors.get(outcome.setting.recipe)
        return recommend(made, advice, tuned=_figures(outcome) | {"dev": list(self.budget.all)})


def search_of(
    model: DiffusionModel,
    subject: Subject,
    out: Path,
    metrics: Sequence[Metric],
    budget: Budget = FULL,
    plan: Plan | None = None,
    exportable: bool = False,
    tell: Tell = _say_nothing,
    progress: Progress = silent,
) -> Search:
    """A search that keeps everything it draws below a folder, and goes on there.

    Args:
        model: the model.
        subject: the concept with its pairs and dev prompts.
        out: the folder.
        metrics: the first of them guide the search, as in a study.
        budget: how much is done.
        plan: sampling; its numbers of sites are the search's own.
        exportable: whether only what a LoRA holds exactly is tried.
        tell: called now and then with what was reached and all outcomes so far.
        progress: called with numbers of UNet rows.
    """
    ours = replace(plan or Plan(), ks=LADDER)
    return Search(Study(model, ours, out, metrics, progress=progress), subject, budget, exportable, tell)


def planned_rows(search: Search) -> int:
    """Upper bound of the UNet rows that a search computes."""
    budget, settings = search.budget, search.study.settings.on(search.study.model)
    capture = capture_rows(len(search.subject.pairs), settings)
    calibrations = 0 if search.exportable else len(RANKS) * capture // 2
    trials = budget.trials * (search.rows(budget.glance) + search.rows(budget.few))
    finals = (3 + budget.finals) * sum(budget.all) + budget.all[0]
    return capture + calibrations + trials + rows_of(finals, search.study.plan.steps, settings.guidance)


def write_table(path: Path, search: Search, found: Found) -> None:
    """Every outcome as JSON."""
    values = {
        "taken": _figures(found.taken),
        "finals": [_figures(outcome) for outcome in found.finals],
        "front": [outcome.setting.name for outcome in pareto(found.finals)],
        "trials": [_figures(outcome) for outcome in found.tried.values()],
        "given_up": [setting.name for setting in found.given_up],
        "budget": asdict(search.budget),
    }
    write_text(path, json.dumps(values, indent=1))


def _figures(outcome: Outcome) -> dict[str, Any]:
    numbers = {name: None if value is None else round(value, 2) for name, value in outcome.numbers().items()}
    return {"setting": outcome.setting.name, **numbers}
