"""The search: a coarse grid on few prompts and steps, then around the best, then the best on all dev prompts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..build import recommend
from ..capture import Progress, capture_rows, silent
from ..diffusion import DiffusionModel
from ..evaluate.metrics import Metric
from ..files import write_text
from ..study.plan import Arm, Counts, Plan
from ..study.readings import Readings
from ..study.run import Study, Subject, dev_row
from ..vector import SteeringVector
from .front import Outcome, knee, pareto, promising
from .space import LADDER, Candidate, first_round, neighbours

STUDY = ("study", 2.5)
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


@dataclass(eq=False)
class Search:
    """A search under way.

    Attributes:
        study: at the final number of steps, with the concept as its only subject.
        budget: how much is done.
        exportable: whether only what a LoRA holds exactly is tried.
        tell: called after every round with its name and all outcomes so far.
        tried: outcomes of the rounds.
        finals: outcomes on all dev prompts.
    """

    study: Study
    budget: Budget
    exportable: bool = False
    tell: Callable[[str, Sequence[Outcome]], None] = lambda name, outcomes: None
    tried: dict[Candidate, Outcome] = field(default_factory=dict)
    finals: list[Outcome] = field(default_factory=list)

    @property
    def subject(self) -> Subject:
        """The concept."""
        return self.study.subjects[0]

    def run(self) -> Outcome:
        """Capture, search, and return the outcome that is taken."""
        name = self.subject.concept.name
        self.study.prepare({name: self.subject.pairs})
        if not self.exportable:
            for rank in RANKS:
                self.study.calibrate(self.subject, rank)
        rough = replace(self.study, plan=replace(self.study.plan, steps=self.budget.steps))
        self._round("first round", rough, first_round(self.exportable))
        for number in range(self.budget.rounds):
            best = promising(list(self.tried.values()), self.budget.parents)
            near = [one for outcome in best for one in neighbours(outcome.candidate, self.exportable)]
            fresh = [one for one in dict.fromkeys(near) if one not in self.tried]
            self._round(f"round {number + 2}", rough, fresh[: self.budget.most])
        self.finals = self._outcomes(self.study, self._finalists(), self.budget.all)
        self.tell("all dev prompts", self.finals)
        return knee(self.finals)

    def _finalists(self) -> list[Candidate]:
        """The settings of the lowest sum, and the best with the source study's own preset and strength.

        A few prompts are a rough judge: with the study's among the finalists, what is taken is no worse on dev prompts.
        """
        outcomes = list(self.tried.values())
        studys = [one for one in outcomes if (one.candidate.preset, one.candidate.strength) == STUDY]
        best = promising(outcomes, self.budget.finals) + promising(studys, 1)
        return list(dict.fromkeys(one.candidate for one in best))

    def _round(self, name: str, study: Study, candidates: Sequence[Candidate]) -> None:
        for outcome in self._outcomes(study, candidates, self.budget.few):
            self.tried[outcome.candidate] = outcome
        self.tell(name, list(self.tried.values()))

    def _outcomes(self, study: Study, candidates: Sequence[Candidate], counts: Counts) -> list[Outcome]:
        original = Arm("original", "tune", counts, split="dev")
        arms = [original, *(candidate.arm(counts) for candidate in candidates)]
        name = self.subject.concept.name
        readings = study.measured({name: (self.subject, arms)}, counts, study.guides)[name]
        base = readings[original.name]
        return [outcome_of(candidate, readings[candidate.name], base) for candidate in candidates]

    def vector(self, taken: Outcome) -> SteeringVector:
        """The vector of an outcome, with its setting as the file's recommendation."""
        candidate = taken.candidate
        made = self.study.vector(self.subject, candidate.arm(self.budget.all))
        assert made is not None
        first, last = (self.study.model.schedule.percent(share) for share in candidate.window)
        advice: dict[str, Any] = {"preset": candidate.preset, "strength": candidate.strength}
        if candidate.window != (0.0, 1.0):
            advice["window"] = [None if first == float("inf") else first, last]
        return recommend(made, **advice, tuned=_figures(taken) | {"dev": list(self.budget.all)})


def outcome_of(candidate: Candidate, steered: Readings, original: Readings) -> Outcome:
    """Means over prompts of what was measured."""
    recipe = candidate.recipe
    row = dev_row((candidate.preset, candidate.strength, recipe.k, recipe.rank), steered, original)
    return Outcome(candidate, *(row[name] for name in ("presence", "sibling", "unrelated", "change")))


def search_of(
    model: DiffusionModel,
    subject: Subject,
    out: Path,
    metrics: Sequence[Metric],
    budget: Budget = FULL,
    plan: Plan | None = None,
    exportable: bool = False,
    tell: Callable[[str, Sequence[Outcome]], None] = lambda name, outcomes: None,
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
    return Search(Study(model, ours, [subject], out, list(metrics), progress=progress), budget, exportable, tell)


def planned_rows(search: Search) -> int:
    """Upper bound of the UNet rows that a search computes."""
    budget, settings = search.budget, search.study.settings.on(search.study.model)
    capture = capture_rows(len(search.subject.pairs), settings)
    calibrations = 0 if search.exportable else len(RANKS) * capture // 2
    rough = 1 + len(first_round(search.exportable)) + budget.rounds * (1 + budget.most)
    pictures = (rough * sum(budget.few), (2 + budget.finals) * sum(budget.all))
    per_picture = 2 if settings.guidance != 1 else 1
    drawn = pictures[0] * budget.steps + pictures[1] * search.study.plan.steps
    return capture + calibrations + drawn * per_picture


def write_table(path: Path, search: Search, taken: Outcome) -> None:
    """Every outcome as JSON."""
    values = {
        "taken": _figures(taken),
        "finals": [_figures(outcome) for outcome in search.finals],
        "front": [outcome.candidate.name for outcome in pareto(search.finals)],
        "rounds": [_figures(outcome) for outcome in search.tried.values()],
        "budget": asdict(search.budget),
    }
    write_text(path, json.dumps(values, indent=1))


def _figures(outcome: Outcome) -> dict[str, Any]:
    numbers: Mapping[str, float] = {
        name: round(getattr(outcome, name), 2) for name in ("presence", "sibling", "unrelated", "change")
    }
    return {"setting": outcome.candidate.name, **numbers}
