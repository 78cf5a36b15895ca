"""The commands ``steering study`` and ``steering evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SteeringError
from ..evaluate.judge import OPENAI
from .options import Device, JsonFlag, Preset, answer, file_and_strength, progress

Concepts = Annotated[
    str | None, typer.Option(help="Built-in concepts or folders, separated by commas; all if not given.")
]
Out = Annotated[Path, typer.Option(help="Folder of everything that is written; the same command goes on there.")]
Test = Annotated[int | None, typer.Option("--prompts", min=2, help="At most so many test prompts of each role.")]
Steps = Annotated[int, typer.Option(min=1, help="Sampling steps.")]
Guidance = Annotated[float | None, typer.Option(help="Classifier-free guidance; the model's own if not given.")]
Size = Annotated[int | None, typer.Option(help="Width and height in pixels; the model's own if not given.")]
Batch = Annotated[int | None, typer.Option(min=1, help="Pictures computed together; the model's usual number.")]
Repeats = Annotated[int, typer.Option("--seeds", min=1, help="Seeds a prompt; more prompts are worth more.")]
Clip = Annotated[str | None, typer.Option(help="CLIP that scores: pocket, an open_clip architecture or a .json file.")]
ClipWeights = Annotated[
    str | None, typer.Option(help="A tag of open_clip, or a file; of ViT-B-32 if no --clip is given.")
]
InceptionFile = Annotated[Path | None, typer.Option(help="Inception's weights, for FID (extra fid).")]
LpipsFile = Annotated[Path | None, typer.Option(help="AlexNet's weights, for LPIPS (extra lpips).")]
NudeNetFlag = Annotated[
    bool | None, typer.Option("--nudenet/--no-nudenet", help="NudeNet (extra nudity); for the concept nudity if there.")
]
JudgeName = Annotated[str | None, typer.Option("--judge", help="Vision language model that judges (extra judge).")]
JudgeUrl = Annotated[
    str, typer.Option(help="Its server, such as http://localhost:11434/v1 of Ollama; OpenAI if not given.")
]
JudgeConsent = Annotated[bool, typer.Option("--judge-consent", help="Pictures may be sent to another machine.")]
JudgeLimit = Annotated[int | None, typer.Option(min=1, help="Most answers that each process asks for.")]
JudgePrice = Annotated[str | None, typer.Option(help="Dollars per million tokens, IN,OUT, for --dry-run.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how much would be drawn and asked.")]


def study(
    model: Annotated[str, typer.Argument(help="pocket, a diffusers folder, a hub id, or a .safetensors checkpoint.")],
    out: Out,
    concepts: Concepts = None,
    k: Annotated[str, typer.Option(help="Numbers of sites steered per step.")] = "1,3,5,8,10",
    quick: Annotated[bool, typer.Option("--quick", help="A few prompts and settings.")] = False,
    prompts: Test = None,
    targets: Annotated[
        list[str] | None, typer.Option(help="CONCEPT=FILE: own target prompts in place of the test set's; repeatable.")
    ] = None,
    pairs: Annotated[int | None, typer.Option(min=2, help="Pairs to capture.")] = None,
    steps: Steps = 30,
    guidance: Guidance = None,
    size: Size = None,
    batch: Batch = None,
    seeds: Repeats = 1,
    clip: Clip = None,
    clip_weights: ClipWeights = None,
    inception: InceptionFile = None,
    lpips: LpipsFile = None,
    nudenet: NudeNetFlag = None,
    judge: JudgeName = None,
    judge_url: JudgeUrl = OPENAI,
    judge_consent: JudgeConsent = False,
    judge_limit: JudgeLimit = None,
    judge_price: JudgePrice = None,
    dry_run: DryRun = False,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """The whole study: capture, score, build, choose on dev, draw every arm, measure, report.

    Killed at any point, the same command goes on. Under torchrun or in a SLURM array the processes share the folder.
    """
    from ..study.plan import FULL, QUICK, all_targets, planned, scaled

    measures = _measures(clip, clip_weights, inception, lpips, nudenet, judge, judge_url, judge_consent, judge_limit)
    given = {"steps": steps, "guidance": guidance, "size": size, "batch": batch, "repeats": seeds}
    plan = replace(QUICK if quick else FULL, **given)
    if not (quick and k == "1,3,5,8,10"):
        plan = replace(plan, ks=_numbers(k))
    plan = replace(plan, pairs=pairs) if pairs else plan
    plan = scaled(plan, prompts) if prompts else plan
    work = _Work(model, plan, measures, out, device, as_json)
    own = _own_targets(targets or [])
    subjects = work.subjects(concepts, own)
    if own and not prompts:
        plan = work.plan = all_targets(plan, [s.prompts["test"] for s in subjects])
    pictures, asked, rows = planned(plan, len(subjects), work.guidance)
    if dry_run:
        return work.estimate(subjects, pictures, asked, rows, judge_price)
    return work.run(subjects, rows, lambda made: made.run(subjects))


def evaluate(
    model: Annotated[str, typer.Argument(help="pocket, a diffusers folder, a hub id, or a .safetensors checkpoint.")],
    concept: Annotated[str, typer.Argument(help="A built-in concept, or a folder of one.")],
    vector: Annotated[str, typer.Option(help="FILE or FILE:STRENGTH.")],
    out: Out,
    preset: Preset = None,
    prompts: Test = None,
    targets: Annotated[Path | None, typer.Option(help="A file of target prompts in place of the test set's.")] = None,
    steps: Steps = 30,
    guidance: Guidance = None,
    size: Size = None,
    batch: Batch = None,
    seeds: Repeats = 1,
    clip: Clip = None,
    clip_weights: ClipWeights = None,
    inception: InceptionFile = None,
    lpips: LpipsFile = None,
    nudenet: NudeNetFlag = None,
    judge: JudgeName = None,
    judge_url: JudgeUrl = OPENAI,
    judge_consent: JudgeConsent = False,
    judge_limit: JudgeLimit = None,
    judge_price: JudgePrice = None,
    dry_run: DryRun = False,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Measure one vector on test prompts: effect, retention, controls."""
    from ..study.evaluation import evaluation_arms, pictures_drawn
    from ..study.plan import FULL, all_targets, scaled
    from ..study.results import Result

    path, strength = file_and_strength(vector)
    measures = _measures(clip, clip_weights, inception, lpips, nudenet, judge, judge_url, judge_consent, judge_limit)
    plan = replace(FULL, steps=steps, guidance=guidance, size=size, batch=batch, repeats=seeds)
    plan = scaled(plan, prompts) if prompts else plan
    work = _Work(model, plan, measures, out, device, as_json)
    subjects = work.subjects(concept, {concept: targets} if targets else {})
    if targets and not prompts:
        plan = work.plan = all_targets(plan, [s.prompts["test"] for s in subjects])
    pictures = pictures_drawn(plan)
    rows = pictures * plan.steps * (2 if work.guidance != 1 else 1)
    if dry_run:
        return work.estimate(subjects, pictures, pictures, rows, judge_price)
    text = subjects[0].concept.text
    guided = work.guidance != 1
    arms = evaluation_arms(work.model, plan, text, Path(path), strength, preset, out, guided)
    return work.run(subjects, rows, lambda made: made.measure([Result(subjects[0], arms, {})]))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SteeringError(f"--k {text!r} must be whole numbers separated by commas, as 1,3,5,8,10") from None


def _own_targets(given: list[str]) -> dict[str, Path]:
    """``CONCEPT=FILE`` as a mapping."""
    pairs = [item.partition("=") for item in given]
    for item, (_, equals, path) in zip(given, pairs, strict=True):
        if not equals or not path:
            raise SteeringError(f"--targets {item!r} is not CONCEPT=FILE")
    return {name: Path(path) for name, _, path in pairs}


def _measures(
    clip: str | None,
    clip_weights: str | None,
    inception: Path | None,
    lpips: Path | None,
    nudenet: bool | None,
    judge: str | None,
    judge_url: str,
    judge_consent: bool,
    judge_limit: int | None,
) -> Any:
    from ..evaluate.judge import JudgeSettings
    from ..evaluate.measures import Measures

    asked = JudgeSettings(judge, judge_url, judge_consent, limit=judge_limit) if judge else None
    return Measures(clip, clip_weights, inception, lpips, nudenet, asked)


class _Work:
    """What `study` and `evaluate` share: the model, the concepts, the run and its report."""

    def __init__(self, model: str, plan: Any, measures: Any, out: Path, device: str, as_json: bool) -> None:
        from ..models.families import defaults_of
        from ..models.loading import load_model
        from ..study.queue import Crew

        if out.exists() and not out.is_dir():
            raise SteeringError(f"--out {out} is a file; name a folder")
        self.plan, self.measures, self.out, self.as_json = plan, measures, out, as_json
        self.crew = Crew.from_environment()
        self.device = _own_device(device)
        self.model = load_model(model, self.device)
        self.guidance = defaults_of(self.model.family).guidance if plan.guidance is None else plan.guidance

    def subjects(self, concepts: str | None, targets: dict[str, Path]) -> list[Any]:
        """The concepts with their prompts; all built-in ones of the model's family where none are named."""
        from ..concepts.prompts import evaluated, read_prompts
        from ..study.subject import load_subject

        family = self.model.family
        names = [name.strip() for name in concepts.split(",")] if concepts else evaluated(family)
        unknown = set(targets) - set(names)
        if unknown:
            raise SteeringError(f"--targets names {', '.join(sorted(unknown))}, which --concepts does not")
        own = {name: read_prompts(path) for name, path in targets.items()}
        return [load_subject(name, family, self.plan, own.get(name)) for name in names]

    def estimate(self, subjects: list[Any], pictures: int, asked: int, rows: int, price: str | None) -> None:
        """Say what a run would draw and ask."""
        from ..evaluate.judge import expected_tokens

        values: dict[str, Any] = {"pictures": pictures, "unet_rows": rows}
        text = f"at most {pictures:,} pictures ({rows:,} UNet rows)"
        if self.measures.judge:
            side = self.plan.size or self.model.size
            tokens = expected_tokens(asked, side, [subject.concept for subject in subjects])
            values |= {"questions": asked, "input_tokens": tokens[0], "output_tokens": tokens[1]}
            text += f"; at most {asked:,} questions to the judge, about {tokens[0]:,} tokens in and {tokens[1]:,} out"
            if price:
                values["dollars"] = round(_dollars(tokens, price), 2)
                text += f", {values['dollars']:.2f} dollars"
        answer(values, self.as_json, text)

    def run(self, subjects: list[Any], rows: int, stages: Any) -> None:
        """Do the stages and write the report."""
        from ..evaluate.measures import metrics_of
        from ..study.report import write_study
        from ..study.run import Study, check_subjects

        check_subjects(subjects)
        names = [subject.name for subject in subjects]
        metrics = metrics_of(self.measures, self.model.family, names, self.out, str(self.model.device))
        with progress(rows, "study" if self.crew.world == 1 else f"study {self.crew.rank}") as update:
            study = Study(self.model, self.plan, self.out, metrics, self.crew, update)
            measured = stages(study)
        results = write_study(study, measured)
        if self.crew.rank == 0:
            concepts = {name: short(part) for name, part in results["concepts"].items()}
            report = str(self.out / "report.html")
            answer({"report": report, "concepts": concepts}, self.as_json, f"report: {report}")


def short(part: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen for a concept, and the presence in every arm."""
    presence = {name: round(arm["presence"]["mean"], 2) for name, arm in part["arms"].items()}
    return {"chosen": part["chosen"], "presence": presence}


def _dollars(tokens: tuple[int, int], price: str) -> float:
    try:
        each = [float(part) for part in price.split(",")]
        return (tokens[0] * each[0] + tokens[1] * each[1]) / 1e6
    except (ValueError, IndexError):
        raise SteeringError(
            f"--judge-price {price!r} must be two numbers, dollars per million tokens in and out"
        ) from None


def _own_device(device: str) -> str:
    """Under torchrun every process takes the GPU of its own number."""
    import os

    import torch

    local = os.environ.get("LOCAL_RANK", "")
    if device == "auto" and local.isdigit() and torch.cuda.is_available():
        return f"cuda:{int(local) % torch.cuda.device_count()}"
    return device
