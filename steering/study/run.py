"""The stages of a study: prepare, choose on dev, draw and measure. Each returns a value and picks up what is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from torch import Tensor

from ..activations.capture import capture, parts_of
from ..activations.parts import capture_rows, parts_folder
from ..activations.store import Activations
from ..evaluate.judge import Judge
from ..evaluate.metrics import ClipScore, Metric, PixelChange, PocketJudge
from ..families import family_named
from ..models.diffusion import DiffusionModel
from ..models.sampling import CaptureSettings, Progress, silent
from ..scores.navigator import score, usual_mode
from ..sites import TEXT_KIND
from ..vectors.vector import recommend
from ..work_files import made_with
from .choice import FINALISTS, Outcome, choose, most_suppressing, promising
from .measurements import Evaluator
from .outcome import outcome_of
from .plan import (
    CONTROLS,
    COUNTERFACTUAL,
    Arm,
    Counts,
    Plan,
    dev_arms,
    needs_thresholds,
    reported_arms,
    tried,
    tried_further,
)
from .pool import ALONE, Bench, Keep, Pool, Task, Tasks
from .renderer import Renderer, Unit, items_of
from .results import Choice, Prepared, Result
from .setting import Recipe, Setting
from .subject import Subject, check_subjects, load_subject, other_concepts
from .tasks import Calibrate, Capture
from .vectors import (
    ConceptActivations,
    Thresholds,
    Vectors,
    capture_key,
    keep_thresholds,
    load_or_capture,
    read_thresholds,
    thresholds_key,
)


@dataclass(frozen=True, eq=False)
class Study:
    """With what a study is made, and where.

    Attributes:
        model: the model.
        plan: how much is done.
        out: folder of everything that is written.
        metrics: what is measured on test pictures.
        pool: who does the units of work.
        progress: called with numbers of UNet rows.
        since: when it began.
    """

    model: DiffusionModel
    plan: Plan
    out: Path
    metrics: Sequence[Metric]
    pool: Pool = ALONE
    progress: Progress = silent
    since: float = field(default_factory=time.time)

    @cached_property
    def renderer(self) -> Renderer:
        """Where the pictures are drawn and kept."""
        return Renderer(self.model, self.plan, self.out / "pictures")

    def guided(self, subjects: Sequence[Subject]) -> bool:
        """Whether there is classifier-free guidance, at least in some prompts."""
        tests = (prompt for subject in subjects for prompt in subject.prompts["test"])
        return self.plan.guided(self.model.family, tests)

    @cached_property
    def settings(self) -> CaptureSettings:
        """How pairs are captured."""
        batch = max(1, (self.plan.batch or family_named(self.model.family).batch) // 2)
        return CaptureSettings(self.plan.steps, self.plan.guidance, 0, self.plan.size, batch)

    @cached_property
    def guides(self) -> list[Metric]:
        """The metrics by which settings are compared on dev."""
        judged = any(isinstance(metric, PocketJudge) for metric in self.metrics)
        wanted = (PocketJudge, PixelChange) if judged else (ClipScore, PixelChange)
        return [metric for metric in self.metrics if isinstance(metric, wanted)]

    def do(self, tasks: Tasks, keep: Keep, pool: Pool | None = None) -> None:
        """Have units of work done, by the study's own pool where none is named, and keep what comes back."""
        (pool or self.pool).do(Bench(self.model, self.metrics), tasks, keep, self.progress)

    def run(self, subjects: Sequence[Subject]) -> list[Result]:
        """Every stage up to the measurements, for concepts that are each there only once."""
        check_subjects(subjects)
        family = self.model.family
        others = [load_subject(name, family, self.plan) for name in other_concepts(subjects, family)]
        prepared = self.prepare(subjects, others)
        work = []
        for one in prepared:
            calibrated, choice = self.choose(one)
            self._keep_chosen(calibrated, choice)
            controls = CONTROLS if one.vectors.others else CONTROLS[:2]
            guided = self.guided(subjects)
            text = one.subject.concept.text
            arms = reported_arms(self.plan, text, choice.chosen, choice.study_k, controls, guided)
            work.append(Result(one.subject, arms, {}, calibrated.vectors, choice))
        return self.measure(work)

    def _keep_chosen(self, prepared: Prepared, choice: Choice) -> None:
        """Write the chosen vector with its recommendation, for use elsewhere."""
        name, chosen = prepared.subject.name, choice.chosen
        advice = chosen.recommendation(self.model.schedule)
        vector = recommend(prepared.vectors.get(chosen.recipe), advice)
        vector.save(self.out / name / f"{name}.safetensors")

    # --- capture, score ---

    def prepare(self, subjects: Sequence[Subject], others: Sequence[Subject] = ()) -> list[Prepared]:
        """Capture and score concepts; ``others`` are captured too, and every one is a control of the rest."""
        every = {subject.name: subject for subject in (*subjects, *others)}
        self._capture(every)
        made = {
            name: ConceptActivations(self._captured(subject), self._text(subject)) for name, subject in every.items()
        }
        prepared = []
        for subject in subjects:
            mine = made[subject.name]
            scores = score(mine.blocks, usual_mode(mine.blocks))
            scores.save(self.out / subject.name / "scores.json")
            rest = {name: other for name, other in made.items() if name != subject.name}
            prepared.append(Prepared(subject, Vectors(mine, scores, rest)))
        return prepared

    def _capture(self, captures: Mapping[str, Subject]) -> None:
        """Have the missing parts of all captures made."""
        tasks: dict[str, Callable[[], Task]] = {}
        keeps: dict[str, Callable[[dict[str, Tensor]], None]] = {}
        for name, subject in captures.items():
            path, rows = self._activations(name), capture_rows(len(subject.pairs), self.settings.on(self.model))
            if made_with(path, capture_key(self.model, subject.pairs, self.settings), Path.is_file):
                self.progress(rows)
                continue
            parts = parts_of(self.model, subject.pairs, self.settings, name, parts_folder(path))
            missing = [part for part in parts.all if not parts.has(part)]
            self.progress(rows - sum(part.rows for part in missing))
            for part in missing:
                key = f"{name}-{part.first}"
                tasks[key], keeps[key] = partial(Capture, part), partial(parts.keep, part)
        self.do(tasks, lambda key, made: keeps[key](made))

    def _captured(self, subject: Subject) -> Activations:
        return load_or_capture(self.model, subject.pairs, self.settings, self._activations(subject.name), subject.name)

    def _text(self, subject: Subject) -> Activations:
        """The text embeddings of a concept's pairs, which take a second and are not kept."""
        return capture(self.model, subject.pairs, sites=TEXT_KIND, concept=subject.name)

    def _activations(self, name: str) -> Path:
        return self.out / name / "activations.safetensors"

    def calibrate(self, prepared: Prepared, ranks: Sequence[int]) -> Prepared:
        """Measure gate thresholds for some ranks, where a preset among those compared reads them."""
        if not any(map(needs_thresholds, self.plan.presets)):
            return prepared
        measured = {rank: self._thresholds(prepared, rank) for rank in ranks}
        known = {**prepared.vectors.thresholds, **measured}
        return replace(prepared, vectors=replace(prepared.vectors, thresholds=known))

    def _thresholds(self, prepared: Prepared, rank: int) -> Thresholds:
        name = prepared.subject.name
        widest = prepared.vectors.get(Recipe.of_rank(max(self.plan.ks), rank))
        negatives = tuple(pair.negative for pair in prepared.subject.pairs)
        path = self.out / name / f"thresholds{rank}.safetensors"
        mark = thresholds_key(self.model, widest, negatives, self.settings)
        rows = capture_rows(len(negatives), self.settings.on(self.model)) // 2  # one side of the pairs
        known = made_with(path, mark, read_thresholds)
        if known is not None:
            self.progress(rows)
            return known
        task = Calibrate(widest, negatives, self.settings, rows)
        self.do({name: lambda: task}, lambda _name, made: keep_thresholds(path, made, mark))
        return read_thresholds(path)

    # --- choose on dev ---

    def choose(self, prepared: Prepared) -> tuple[Prepared, Choice]:
        """Compare all settings on a few dev prompts and the best on all of them."""
        prepared = self.calibrate(prepared, (1,))
        dev = self.compare(prepared, tried(self.plan), self.plan.dev)
        further = tried_further(self.plan)
        if further and not any(outcome.enough for outcome in dev):
            prepared = self.calibrate(prepared, self.plan.ranks)
            dev += self.compare(prepared, further, self.plan.dev)
        finalists = [outcome.setting for outcome in promising(dev, FINALISTS)]
        finals = self.compare(prepared, finalists, self.plan.finals)
        projections = [outcome for outcome in dev if outcome.setting.preset == "projection"]
        study_k = most_suppressing(projections).setting.recipe.k
        return prepared, Choice(choose(finals).setting, study_k, tuple(dev), tuple(finals))

    def compare(self, prepared: Prepared, settings: Sequence[Setting], counts: Counts) -> list[Outcome]:
        """What settings do on dev prompts."""
        arms = dev_arms(settings, counts)
        (result,) = self.measure([Result(prepared.subject, arms, {}, prepared.vectors)], counts, self.guides)
        made = result.measurements
        return [outcome_of(one, made[one.name], made["original"], made[COUNTERFACTUAL]) for one in settings]

    # --- draw and measure ---

    def measure(
        self, work: Sequence[Result], within: Counts | None = None, metrics: Sequence[Metric] | None = None
    ) -> list[Result]:
        """Draw and measure the arms of some concepts; the first arm of each is the original.

        Args:
            work: the arms, not measured yet.
            within: prompts of each role that the widest arm draws; the plan's test prompts if not given.
            metrics: the study's own if not given.
        """
        within, metrics = within or self.plan.test, self.metrics if metrics is None else metrics
        units = [{arm.name: self.units(one, arm, within) for arm in one.arms} for one in work]
        self._draw([unit for arms in units for part in arms.values() for unit in part])
        evaluators = [self.evaluator(next(iter(arms.values()))) for arms in units]
        for metric in metrics:
            tasks: dict[str, Callable[[], Task]] = {}
            for one, arms, evaluator in zip(work, units, evaluators, strict=True):
                for unit in (unit for part in arms.values() for unit in part):
                    key = evaluator.key(metric, unit, one.subject.concept)
                    if not evaluator.finished(key):
                        tasks[key] = partial(evaluator.task, metric, unit, one.subject.concept)
            # The judge that is asked waits for a server, and keeps its answers here.
            self.do(tasks, evaluators[0].keep, ALONE if isinstance(metric, Judge) else None)
        return [
            replace(
                one,
                measurements={name: evaluator.read(metrics, part, one.subject.concept) for name, part in arms.items()},
            )
            for one, arms, evaluator in zip(work, units, evaluators, strict=True)
        ]

    def units(self, one: Result, arm: Arm, within: Counts) -> list[Unit]:
        """An arm's pictures, in units that are drawn together; the draws of a control take turns over the prompts."""
        prompts, place = one.subject.prompts[arm.split], f"{one.subject.name}/{arm.split}"
        repeats = [arm.repeat + i for i in range(self.plan.repeats)]
        items = items_of(place, prompts, within, arm.counts, repeats)
        setting = arm.setting
        if one.vectors is None or setting is None or isinstance(setting.vector, str) or not setting.vector.control:
            return self.renderer.units(arm, items, one.vector(arm))
        draws, units = one.vectors.draws(setting.vector.control, self.plan.draws), []
        for i, draw in enumerate(draws):
            some = [replace(item, draw=draw) for item in items[i :: len(draws)]]
            units += self.renderer.units(arm.drawn(draw), some, one.vector(arm.drawn(draw)))
        return units

    def _draw(self, units: Sequence[Unit]) -> None:
        missing = {unit.key: unit for unit in units if not self.renderer.finished(unit.key)}
        # Units of several arms are drawn once and count as often as they were planned.
        rows = self.renderer.rows
        self.progress(sum(map(rows, units)) - sum(map(rows, missing.values())))
        self.do({key: partial(self.renderer.task, unit) for key, unit in missing.items()}, self.renderer.keep)

    def evaluator(self, originals: Sequence[Unit]) -> Evaluator:
        """What measures pictures against the originals."""
        places: dict[tuple[str, int], Path] = {}
        for unit in originals:
            for i, item in enumerate(unit.items):
                places[item.name, item.repeat] = self.renderer.path(unit.key, i)
        return Evaluator(self.renderer, self.out / "measured", places, self.since)
