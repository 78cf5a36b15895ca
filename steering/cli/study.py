"""The commands ``steering study`` and ``steering evaluate``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..errors import SteeringError
from .options import (
    Amount,
    AtLeastTwo,
    ClusterOptions,
    Json,
    MeasureOptions,
    Model,
    OneVector,
    Preset,
    file_and_strength,
)
from .output import answer, progress
from .placement import HERE, Placement

Out = Annotated[Path, Parameter(help="Folder of everything that is written; the same command goes on there.")]
DryRun = Annotated[bool, Parameter(help="Only say how much would be drawn and asked.")]


def study(
    model: Model,
    /,
    *,
    out: Out,
    concepts: str | None = None,
    k: str | None = None,
    quick: bool = False,
    targets: list[str] | None = None,
    pairs: AtLeastTwo | None = None,
    amount: Amount = Amount(),
    measured: MeasureOptions = MeasureOptions(),
    cluster: ClusterOptions = ClusterOptions(),
    dry_run: DryRun = False,
    placement: Placement = HERE,
    as_json: Json = False,
) -> None:
    """The whole study: capture, score, build, choose on dev, draw every arm, measure, report.

    Killed at any point, the same command goes on, with as many workers as it is then given.

    Args:
        concepts: Built-in concepts or folders, separated by commas; all if not given.
        k: Numbers of sites steered per step; 1,3,5,8,10 if not given, and 1,5 with --quick.
        quick: A few prompts and settings.
        targets: CONCEPT=FILE: own target prompts in place of the test set's; repeatable.
        pairs: Pairs to capture.
    """
    from ..study.plan import FULL, QUICK, all_targets, planned
    from ..study.subject import other_concepts

    plan = amount.plan(QUICK if quick else FULL)
    plan = plan if k is None else replace(plan, ks=_numbers(k))
    plan = replace(plan, pairs=pairs) if pairs else plan
    work = _Work(model, plan, measured, cluster, out, placement, as_json)
    own = _own_targets(targets or [])
    subjects = work.subjects(None if concepts is None else _names(concepts), own)
    if own and not amount.prompts:
        plan = work.plan = all_targets(plan, [s.prompts["test"] for s in subjects])
    others = len(other_concepts(subjects, work.model.family))
    pictures, asked, rows = planned(plan, len(subjects), others, work.guidance)
    if dry_run:
        return work.estimate(subjects, pictures, asked, rows)
    return work.run("study", subjects, rows, lambda made: made.run(subjects))


def evaluate(
    model: Model,
    concept: str,
    /,
    *,
    vector: OneVector,
    out: Out,
    preset: Preset = None,
    targets: Path | None = None,
    amount: Amount = Amount(),
    measured: MeasureOptions = MeasureOptions(),
    cluster: ClusterOptions = ClusterOptions(),
    dry_run: DryRun = False,
    placement: Placement = HERE,
    as_json: Json = False,
) -> None:
    """Measure one vector on test prompts: effect, retention, controls.

    Args:
        concept: A built-in concept, or a folder of one.
        targets: A file of target prompts in place of the test set's.
    """
    from ..files import file_hash
    from ..models.sampling import rows_of
    from ..study.evaluation import evaluation_arms, pictures_drawn, write_control
    from ..study.plan import FULL, all_targets
    from ..study.results import Result

    path, strength = file_and_strength(vector)
    plan = amount.plan(FULL)
    work = _Work(model, plan, measured, cluster, out, placement, as_json)
    subjects = work.subjects([concept], {concept: targets} if targets else {})
    if targets and not amount.prompts:
        plan = work.plan = all_targets(plan, [s.prompts["test"] for s in subjects])
    pictures = pictures_drawn(plan)
    rows = rows_of(pictures, plan.steps, work.guidance)
    if dry_run:
        return work.estimate(subjects, pictures, pictures, rows)
    control = out / "isotropic.safetensors"
    if control.exists() and control.samefile(path):
        raise SteeringError(f"--vector {path} lies where the control is written; copy it to another place")
    arms = evaluation_arms(work.model, plan, subjects[0], Path(path), strength, preset, control)

    def stages(made: Any) -> Any:
        write_control(Path(path), control)
        return made.measure([Result(subjects[0], arms, {})])

    steered = {"vector": file_hash(path), "preset": preset, "strength": strength}
    return work.run("evaluate", subjects, rows, stages, **steered)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SteeringError(f"--k {text!r} must be whole numbers separated by commas, as 1,3,5,8,10") from None


def _names(concepts: str) -> list[str]:
    """Concepts separated by commas, each once."""
    names = [name.strip() for name in concepts.split(",")]
    if _repeated(names) or not all(names):
        raise SteeringError(f"--concepts {concepts!r} must name each concept once, separated by commas")
    return names


def _repeated(names: list[str]) -> list[str]:
    """Those that stand there more than once."""
    return [name for name in names if names.count(name) > 1]


def _own_targets(given: list[str]) -> dict[str, Path]:
    """``CONCEPT=FILE`` as a mapping."""
    pairs = [item.partition("=") for item in given]
    twice = _repeated([name for name, _, _ in pairs])
    if twice:
        raise SteeringError(f"--targets names {twice[0]!r} twice; put its prompts into one file")
    for item, (_, equals, path) in zip(given, pairs, strict=True):
        if not equals or not path:
            raise SteeringError(f"--targets {item!r} is not CONCEPT=FILE")
    return {name: Path(path) for name, _, path in pairs}


class _Work:
    """What `study` and `evaluate` share: the model, the concepts, the run and its report."""

    def __init__(
        self,
        model: str,
        plan: Any,
        measured: MeasureOptions,
        cluster: ClusterOptions,
        out: Path,
        placement: Placement,
        as_json: bool,
    ) -> None:
        if out.exists() and not out.is_dir():
            raise SteeringError(f"--out {out} is a file; name a folder")
        self.plan, self.price, self.out, self.as_json = plan, measured.prices(), out, as_json
        self.measures = measured.measures()
        self.source, self.placement, self.cluster = model, placement, cluster
        self.model = placement.load(model)
        self.guidance = plan.guidance_on(self.model.family)

    def subjects(self, concepts: list[str] | None, targets: dict[str, Path]) -> list[Any]:
        """The concepts with their prompts; all built-in ones of the model's family where None are named."""
        from ..concepts.prompts import evaluated, read_prompts
        from ..study.subject import load_subject

        family = self.model.family
        names = evaluated(family) if concepts is None else concepts
        unknown = set(targets) - set(names)
        if unknown:
            raise SteeringError(f"--targets names {', '.join(sorted(unknown))}, which --concepts does not")
        own = {name: read_prompts(path) for name, path in targets.items()}
        return [load_subject(name, family, self.plan, own.get(name)) for name in names]

    def estimate(self, subjects: list[Any], pictures: int, asked: int, rows: int) -> None:
        """Say what a run would draw and ask."""
        from ..evaluate.judge import expected_tokens

        values: dict[str, Any] = {"pictures": pictures, "unet_rows": rows}
        text = f"at most {pictures:,} pictures ({rows:,} UNet rows)"
        if self.measures.judge:
            side = self.plan.size or self.model.size
            tokens = expected_tokens(asked, side, [subject.concept for subject in subjects])
            values |= {"questions": asked, "input_tokens": tokens[0], "output_tokens": tokens[1]}
            text += f"; at most {asked:,} questions to the judge, about {tokens[0]:,} tokens in and {tokens[1]:,} out"
            if self.price:
                values["dollars"] = round((tokens[0] * self.price[0] + tokens[1] * self.price[1]) / 1e6, 2)
                text += f", {values['dollars']:.2f} dollars"
        answer(values, self.as_json, text)

    def run(self, command: str, subjects: list[Any], rows: int, stages: Any, **more: Any) -> None:
        """Do the stages and write the report; the folder is the command's, with ``more`` that decides its pictures."""
        from ..evaluate.measures import metrics_of
        from ..study.folder import run_fingerprint, work_in
        from ..study.pool import Bench
        from ..study.report import write_study
        from ..study.run import Study
        from ..study.subject import check_subjects

        check_subjects(subjects)
        names = [subject.name for subject in subjects]
        metrics = metrics_of(self.measures, self.model.family, names, self.out, str(self.model.device))
        bench = Bench(self.model, metrics)
        with (
            work_in(self.out, run_fingerprint(command, self.model, self.plan, subjects, **more)),
            self.cluster.pool(self.source, self.placement.arguments(), self.measures, names, bench) as pool,
            progress(rows, command) as update,
        ):
            study = Study(self.model, self.plan, self.out, metrics, pool, update)
            written = write_study(study, stages(study))
        concepts = {name: self._short(name, written) for name in names}
        report = str(self.out / "report.html")
        said = [part["summary"] for part in concepts.values()]
        text = "\n".join([*written.results["warnings"], *filter(None, said), f"report: {report}"])
        answer({"report": report, "concepts": concepts}, self.as_json, text)

    @staticmethod
    def _short(name: str, written: Any) -> dict[str, Any]:
        """What was chosen for a concept, and clean removal and presence in every arm."""
        arms = written.figures[name].items()
        clean = {arm: round(made.removal.clean.mean, 2) for arm, made in arms if made.removal.clean}
        presence = {arm: round(made.presence.mean, 2) for arm, made in arms}
        about = written.results["concepts"][name]
        return {"summary": about["summary"], "chosen": about["chosen"], "clean": clean, "presence": presence}
