"""The stages of a study: capture, score, build, choose on dev, draw, measure. Each picks up what is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..build import recommend
from ..capture import CaptureSettings, Progress, capture_rows, silent, usual
from ..diffusion import DiffusionModel
from ..evaluate.choice import FINALISTS, Setting, choose, enough, finalists, setting_row
from ..evaluate.metrics import ClipScore, Metric, PixelChange, PocketJudge
from ..evaluate.prompts import ROLES, Concept, Prompt, concept_folder, evaluated, load_concept, load_prompts
from ..navigator import FOLDS, score
from ..pairs import Pair, load_pairs, spread
from ..pocket.judge import LABELS
from ..vector import SteeringVector
from .crew import Crew, share
from .pictures import Item, Studio, Unit, items_of
from .plan import CONTROLS, Arm, Counts, Plan, Recipe, dev_arms, of_setting, reported_arms, tried, tried_further
from .readings import Lab, Readings, by_prompt, lost, presence
from .vectors import Vectors, capture_key, captured, has_key, thresholds_key, thresholds_of


@dataclass(eq=False)
class Subject:
    """One concept of a study, and what has been found out about it so far.

    Attributes:
        concept: the concept.
        pairs: the prompts that are captured.
        prompts: dev and test prompts by split.
        vectors: its vectors, once captured.
        chosen: the setting that dev prompts chose.
        study_k: the k that they chose for the study's preset.
        dev: the compared settings, on a few dev prompts.
        finals: the finalists, on all of them.
        arms: the reported arms.
        readings: what was measured in each, by name.
    """

    concept: Concept
    pairs: list[Pair]
    prompts: Mapping[str, Sequence[Prompt]]
    vectors: Vectors | None = None
    chosen: Setting | None = None
    study_k: int = 0
    dev: list[dict[str, Any]] = field(default_factory=list)
    finals: list[dict[str, Any]] = field(default_factory=list)
    arms: list[Arm] = field(default_factory=list)
    readings: dict[str, Readings] = field(default_factory=dict)


def load_subject(name: str, family: str, plan: Plan, targets: Sequence[Prompt] | None = None) -> Subject:
    """A concept with its prompts, by name or folder.

    Args:
        name: see `steering.evaluate.prompts.concept_folder`.
        family: of the model.
        plan: how many pairs.
        targets: prompts that take the place of the concept's own test targets.
    """
    folder = concept_folder(name, family)
    test = load_prompts(name, "test", family)
    if targets is not None:
        test = [*targets, *(prompt for prompt in test if prompt.role != "target")]
    prompts = {"dev": load_prompts(name, "dev", family), "test": test}
    for split, some in prompts.items():
        if not any(prompt.role == "target" for prompt in some):
            raise ValueError(f"{folder / split}.csv holds no prompts of role target, on which presence is measured")
    concept = load_concept(name, family)
    if family == "pocket":
        _check_labels(concept, [prompt for some in prompts.values() for prompt in some])
    return Subject(concept, spread(load_pairs(folder / "fit.csv"), plan.pairs), prompts)


def _check_labels(concept: Concept, prompts: Sequence[Prompt]) -> None:
    """Refuse labels that the embedded judge does not know, before any work is done."""
    if not concept.judge:
        raise ValueError(f"concept {concept.name} names no labels of the embedded judge; add 'judge' to concept.json")
    unknown = {label for prompt in prompts for label in prompt.shows} | set(concept.judge)
    if unknown - set(LABELS):
        names = ", ".join(sorted(unknown - set(LABELS)))
        raise ValueError(f"concept {concept.name}: the embedded judge knows {', '.join(LABELS)}, and not {names}")


@dataclass(eq=False)
class Study:
    """A study under way.

    Attributes:
        model: the model.
        plan: how much is done.
        subjects: the concepts.
        out: folder of everything that is written.
        metrics: what is measured on test pictures.
        crew: this process among those that share the work.
        progress: called with numbers of UNet rows.
        since: when it began.
    """

    model: DiffusionModel
    plan: Plan
    subjects: list[Subject]
    out: Path
    metrics: list[Metric]
    crew: Crew = field(default_factory=Crew)
    progress: Progress = silent
    since: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        names = [subject.concept.name for subject in self.subjects]
        if len(set(names)) < len(names) or not names:
            raise ValueError(f"concepts {', '.join(names) or '(none)'} must be at least one and each only once")

    @cached_property
    def studio(self) -> Studio:
        """Where the pictures are drawn and kept."""
        return Studio(self.model, self.plan, self.out / "pictures")

    @property
    def guided(self) -> bool:
        """Whether there is classifier-free guidance, at least in some prompts."""
        usually = usual(self.model.family).guidance if self.plan.guidance is None else self.plan.guidance
        tests = (prompt.guidance for subject in self.subjects for prompt in subject.prompts["test"])
        return any((usually if own is None else own) != 1 for own in tests)

    @cached_property
    def settings(self) -> CaptureSettings:
        """How pairs are captured."""
        batch = max(1, (self.plan.batch or usual(self.model.family).batch) // 2)
        return CaptureSettings(self.plan.steps, self.plan.guidance, 0, self.plan.size, batch)

    @cached_property
    def guides(self) -> list[Metric]:
        """The metrics by which settings are compared on dev."""
        wanted = (PocketJudge, PixelChange) if _has_judge(self.metrics) else (ClipScore, PixelChange)
        return [metric for metric in self.metrics if isinstance(metric, wanted)]

    def share(self, keys: Sequence[str], finished: Callable[[str], bool], do: Callable[[str], None]) -> None:
        """`steering.study.crew.share` with this study's claims."""
        share(keys, finished, do, self.out / "claims", self.crew)

    def run(self) -> None:
        """Every stage up to the measurements."""
        self.build()
        for subject in self.subjects:
            self.choose(subject)
            assert subject.chosen is not None
            controls = CONTROLS if _vectors(subject).other else CONTROLS[:2]
            text, k = subject.concept.text, subject.study_k
            subject.arms = reported_arms(self.plan, text, subject.chosen, k, controls, self.guided)
            self._keep_chosen(subject)
        self.measure_test()

    def _keep_chosen(self, subject: Subject) -> None:
        """Write the chosen vector with its recommendation, for use elsewhere."""
        assert subject.chosen is not None
        vector, name = _vectors(subject).get(of_setting(subject.chosen)), subject.concept.name
        preset, strength, _, _ = subject.chosen
        recommend(vector, preset=preset, strength=strength).save(self.out / name / f"{name}.safetensors")

    # --- capture, score, build ---

    def build(self) -> None:
        """Capture every concept (and one to serve as a control), score, and measure gate thresholds."""
        captures = {subject.concept.name: subject.pairs for subject in self.subjects}
        extra = self._extra_control()
        if extra:
            captures[extra.concept.name] = extra.pairs
        self.prepare(captures)

    def prepare(self, captures: Mapping[str, list[Pair]]) -> None:
        """Capture pairs by concept, at least those of the subjects, and score the subjects."""
        self._capture(captures)
        names = list(captures)
        made = {name: self._captured(name, pairs) for name, pairs in captures.items()}
        for i, subject in enumerate(self.subjects):
            name = subject.concept.name
            activations, other = made[name], made[names[(i + 1) % len(names)]]
            rule = "cross-fitted" if activations.pairs >= 2 * FOLDS else "paper"
            scores = score(activations, rule)
            scores.save(self.out / name / "scores.json")
            subject.vectors = Vectors(activations, scores, other if len(names) > 1 else None)

    def _capture(self, captures: Mapping[str, list[Pair]]) -> None:
        marks = {name: capture_key(self.model, pairs, self.settings) for name, pairs in captures.items()}
        keys = {f"capture-{name}-{mark}": name for name, mark in marks.items()}

        def finished(key: str) -> bool:
            return has_key(self._activations(keys[key]), key.rpartition("-")[2])

        done_here: set[str] = set()

        def do(key: str) -> None:
            done_here.add(key)
            self._captured(keys[key], captures[keys[key]])

        self.share(list(keys), finished, do)
        rows = capture_rows(1, self.settings.on(self.model))
        self.progress(sum(rows * len(captures[keys[key]]) for key in keys if key not in done_here))

    def _captured(self, name: str, pairs: list[Pair]) -> Any:
        return captured(self.model, pairs, self.settings, self._activations(name), name, self._quietly(name))

    def _quietly(self, name: str) -> Progress:
        """Progress of a capture that is being made, not of one that is read again."""
        return silent if self._activations(name).is_file() else self.progress

    def _activations(self, name: str) -> Path:
        return self.out / name / "activations.safetensors"

    def _extra_control(self) -> Subject | None:
        """Another built-in concept, where the study has only one to be the other's control."""
        if len(self.subjects) > 1:
            return None
        others = [name for name in evaluated(self.model.family) if name != self.subjects[0].concept.name]
        return load_subject(others[0], self.model.family, self.plan) if others else None

    def calibrate(self, subject: Subject, rank: int) -> None:
        """Measure gate thresholds for one rank, where a preset among those compared reads them."""
        if "selective" not in self.plan.presets:
            return
        vectors, name = _vectors(subject), subject.concept.name
        widest = vectors.get(Recipe(max(self.plan.ks), "mean" if rank == 1 else "pca", rank))
        negatives = [pair.negative for pair in subject.pairs]
        path = self.out / name / f"thresholds{rank}.safetensors"
        mark = thresholds_key(self.model, widest, negatives, self.settings)

        def thresholds(progress: Progress) -> None:
            made = thresholds_of(self.model, widest, negatives, self.settings, path, progress)
            vectors.thresholds[rank] = made

        made_here = not has_key(path, mark)
        self.share(
            [f"thresholds-{name}-{mark}"], lambda _key: has_key(path, mark), lambda _key: thresholds(self.progress)
        )
        thresholds(silent if made_here else self.progress)
        vectors.forget()

    # --- choose on dev ---

    def choose(self, subject: Subject) -> None:
        """Compare all settings on a few dev prompts and the best on all of them."""
        self.calibrate(subject, 1)
        subject.dev = self._compare(subject, tried(self.plan), self.plan.dev)
        if not any(enough(row) for row in subject.dev) and tried_further(self.plan):
            for rank in self.plan.ranks:
                self.calibrate(subject, rank)
            subject.dev += self._compare(subject, tried_further(self.plan), self.plan.dev)
        subject.finals = self._compare(subject, finalists(subject.dev), self.plan.finals)
        best = choose(subject.finals)
        subject.chosen = best["preset"], best["strength"], best["k"], best["rank"]
        study = [row for row in subject.dev if row["preset"] == "study"]
        subject.study_k = min(study, key=lambda row: row["presence"])["k"]

    def _compare(self, subject: Subject, settings: list[Setting], counts: Counts) -> list[dict[str, Any]]:
        arms = dev_arms(settings, counts)
        readings = self.measured({subject.concept.name: (subject, arms)}, counts, self.guides)[subject.concept.name]
        original = readings[arms[0].name]
        return [dev_row(setting, readings[arm.name], original) for setting, arm in zip(settings, arms[1:], strict=True)]

    # --- draw and measure ---

    def measure_test(self) -> None:
        """Draw and measure every reported arm of every concept."""
        work = {subject.concept.name: (subject, subject.arms) for subject in self.subjects}
        for name, readings in self.measured(work, self.plan.test, self.metrics).items():
            work[name][0].readings = readings

    def measured(
        self, work: Mapping[str, tuple[Subject, list[Arm]]], within: Counts, metrics: list[Metric]
    ) -> dict[str, dict[str, Readings]]:
        """Draw and measure arms of some concepts; the first arm of each is the original."""
        units = {name: {arm.name: self._units(s, arm, within) for arm in arms} for name, (s, arms) in work.items()}
        self._draw([unit for arms in units.values() for part in arms.values() for unit in part])
        labs = {name: self._lab(next(iter(arms.values()))) for name, arms in units.items()}
        jobs = {}
        for name, arms in units.items():
            for unit in (unit for part in arms.values() for unit in part):
                for metric in metrics:
                    jobs[labs[name].key(metric, unit, work[name][0].concept)] = (name, metric, unit)

        def measure(key: str) -> None:
            name, metric, unit = jobs[key]
            labs[name].measure(metric, unit, work[name][0].concept)

        self.share(list(jobs), lambda key: labs[jobs[key][0]].finished(key), measure)
        return {
            name: {arm: labs[name].read(metrics, part, work[name][0].concept) for arm, part in arms.items()}
            for name, arms in units.items()
        }

    def _units(self, subject: Subject, arm: Arm, within: Counts) -> list[Unit]:
        prompts, place = subject.prompts[arm.split], f"{subject.concept.name}/{arm.split}"
        repeats = [arm.repeat + i for i in range(self.plan.repeats)]
        items = items_of(place, prompts, within, arm.counts, repeats)
        return self.studio.units(arm, items, self.vector(subject, arm))

    def vector(self, subject: Subject, arm: Arm) -> SteeringVector | None:
        """The vector of an arm, made from the capture or read from its file."""
        if isinstance(arm.vector, str):
            return SteeringVector.load(arm.vector)
        return _vectors(subject).get(arm.vector) if arm.vector else None

    def _draw(self, units: Sequence[Unit]) -> None:
        by_key = {unit.key: unit for unit in units}
        drawn_here: set[str] = set()

        def draw(key: str) -> None:
            drawn_here.add(key)
            self.studio.draw(by_key[key], self.progress)

        self.share(list(by_key), self.studio.finished, draw)
        # Units of several arms are drawn once and count as often as they were planned.
        self.progress(sum(map(self.studio.rows, units)) - sum(self.studio.rows(by_key[key]) for key in drawn_here))

    def _lab(self, originals: Sequence[Unit]) -> Lab:
        places: dict[tuple[str, int], Path] = {}
        for unit in originals:
            for i, item in enumerate(unit.items):
                places[_place(item)] = self.studio.path(unit.key, i)
        return Lab(self.studio, self.out / "measured", places, self.since)


def _place(item: Item) -> tuple[str, int]:
    return item.name, item.repeat


def _vectors(subject: Subject) -> Vectors:
    assert subject.vectors is not None, "capture first"
    return subject.vectors


def _has_judge(metrics: Sequence[Metric]) -> bool:
    return any(isinstance(metric, PocketJudge) for metric in metrics)


def dev_row(setting: Setting, steered: Readings, original: Readings) -> dict[str, Any]:
    """What a setting does on dev prompts, as `steering.evaluate.choice` compares it."""
    losses, names = lost(steered, original), np.array(steered.names())
    roles = {role: steered.role(role) for role in ROLES}
    return setting_row(
        setting,
        by_prompt(presence(steered)[roles["target"]], names[roles["target"]].tolist()),
        {role: by_prompt(losses[roles[role]], names[roles[role]].tolist()) for role in ROLES[1:]},
        steered.columns["change_rms"][~roles["target"]],
    )


def planned(plan: Plan, concepts: int, guidance: float) -> tuple[int, int, int]:
    """Upper bounds of what a study does: pictures drawn, those of them that a judge sees, UNet rows."""
    chosen: Setting = ("study", 1.0, plan.ks[0], 1)
    settings = tried(plan) + tried_further(plan)
    # The original is asked for in every comparison, and drawn once.
    compared = ((tried(plan), plan.dev), (tried_further(plan), plan.dev), (settings[:FINALISTS], plan.finals))
    dev = [arm for some, counts in compared if some for arm in dev_arms(some, counts)]
    reported = reported_arms(plan, "", chosen, plan.ks[0])
    tests, devs = (concepts * plan.repeats * sum(sum(arm.counts) for arm in arms) for arms in (reported, dev))
    calibrations = (1 + len(plan.ranks)) * ("selective" in plan.presets)
    captures = plan.pairs * (concepts * (2 + calibrations) + 2 * (concepts == 1))
    return tests + devs, tests, (tests + devs + captures) * plan.steps * (2 if guidance != 1 else 1)
