"""The search: a coarse grid on few prompts and steps, then around the best, then the best on all dev prompts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..activations.capture import capture_rows
from ..evaluate.metrics import Metric
from ..files import write_text
from ..models.diffusion import DiffusionModel
from ..models.sampling import Progress, rows_of, silent
from ..study.choice import Outcome, choose, pareto, promising
from ..study.plan import Counts, Plan
from ..study.results import Prepared
from ..study.run import Study
from ..study.setting import Setting
from ..study.subject import Subject
from ..vectors.vector import SteeringVector, recommend
from .space import LADDER, first_round, neighbours

SOURCE = ("projection", 2.5)
"""The source study's preset and strength."""
RANKS = (1, 2, 3)
"""Numbers of directions that gate thresholds are measured for."""


@dataclass(frozen=True)
class Budget:
    """How much a search does.

    Attributes:
        few: dev prompts of each role (target, sibling, unrelated) in the rounds.
        steps: sampling steps in the rounds.
        rounds: rounds after the first one.
        parents: settings whose neighbours a round tries.
        most: most settings of a round.
        finals: settings that are compared on all dev prompts and steps, beside the source study's own.
        all: dev prompts of each role there.
    """

    few: Counts = (12, 8, 8)
    steps: int = 15
    rounds: int = 2
    parents: int = 5
    most: int = 24
    finals: int = 8
    all: Counts = (50, 50, 50)


FULL = Budget()
QUICK = Budget(few=(3, 2, 2), steps=8, rounds=1, parents=2, most=6, finals=2, all=(4, 3, 3))


Tell = Callable[[str, Sequence[Outcome]], None]
"""Called after every round with its name and all outcomes so far."""


def _say_nothing(_name: str, _outcomes: Sequence[Outcome]) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        prepared: the concept with its vectors.
        tried: outcomes of the rounds, by setting.
        finals: outcomes on all dev prompts.
        taken: the one of these that is taken.
    """

    prepared: Prepared
    tried: Mapping[Setting, Outcome]
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
        tell: called after every round with its name and all outcomes so far.
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
        rough = replace(self.study, plan=replace(self.study.plan, steps=self.budget.steps))
        tried: dict[Setting, Outcome] = {}
        settings, name = first_round(self.exportable), "first round"
        for number in range(self.budget.rounds + 1):
            for outcome in rough.compare(prepared, settings, self.budget.few):
                tried[outcome.setting] = outcome
            self.tell(name, list(tried.values()))
            settings, name = self._near(tried), f"round {number + 2}"
        finals = self.study.compare(prepared, self._finalists(tried), self.budget.all)
        self.tell("all dev prompts", finals)
        return Found(prepared, tried, finals, choose(finals))

    def _near(self, tried: Mapping[Setting, Outcome]) -> list[Setting]:
        """Settings next to the best that were not tried yet."""
        best = promising(list(tried.values()), self.budget.parents)
        near = [one for outcome in best for one in neighbours(outcome.setting, self.exportable)]
        return [one for one in dict.fromkeys(near) if one not in tried][: self.budget.most]

    def _finalists(self, tried: Mapping[Setting, Outcome]) -> list[Setting]:
        """The settings of the highest worth, and the best with the source study's own preset and strength.

        A few prompts are a rough judge: with the source study's among the finalists, what is taken is no worse on dev
        prompts.
        """
        outcomes = list(tried.values())
        sources = [one for one in outcomes if (one.setting.preset, one.setting.strength) == SOURCE]
        best = promising(outcomes, self.budget.finals) + promising(sources, 1)
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
        tell: called after every round with its name and all outcomes so far.
        progress: called with numbers of UNet rows.
    """
    ours = replace(plan or Plan(), ks=LADDER)
    return Search(Study(model, ours, out, metrics, progress=progress), subject, budget, exportable, tell)


def planned_rows(search: Search) -> int:
    """Upper bound of the UNet rows that a search computes."""
    budget, settings = search.budget, search.study.settings.on(search.study.model)
    capture = capture_rows(len(search.subject.pairs), settings)
    calibrations = 0 if search.exportable else len(RANKS) * capture // 2
    rough = 1 + len(first_round(search.exportable)) + budget.rounds * (1 + budget.most)
    without = (1 + budget.rounds) * budget.few[0], budget.all[0]  # the counterfactual's
    pictures = (rough * sum(budget.few) + without[0], (2 + budget.finals) * sum(budget.all) + without[1])
    steps = budget.steps, search.study.plan.steps
    return capture + calibrations + sum(map(rows_of, pictures, steps, (settings.guidance,) * 2))


def write_table(path: Path, search: Search, found: Found) -> None:
    """Every outcome as JSON."""
    values = {
        "taken": _figures(found.taken),
        "finals": [_figures(outcome) for outcome in found.finals],
        "front": [outcome.setting.name for outcome in pareto(found.finals)],
        "rounds": [_figures(outcome) for outcome in found.tried.values()],
        "budget": asdict(search.budget),
    }
    write_text(path, json.dumps(values, indent=1))


def _figures(outcome: Outcome) -> dict[str, Any]:
    numbers = {name: None if value is None else round(value, 2) for name, value in outcome.numbers().items()}
    return {"setting": outcome.setting.name, **numbers}
