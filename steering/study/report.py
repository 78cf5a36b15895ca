"""Everything that a study writes for its readers: one HTML page, pictures, rows, tables, figures as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..concepts.prompts import ROLES
from ..evaluate.metrics import percent_change
from ..files import parse_object, read_text, write_text
from ..plots import comparisons
from ..plots import figures as plots
from ..vectors.vector import SteeringVector
from ..version import __version__
from .choice import rule
from .claims import claims
from .figures import TEXTS, matched, study_figures
from .galleries import galleries
from .measurements import Measurements, by_prompt
from .page import write_report
from .plan import Arm
from .records import ArmFigures, Figures
from .results import Result
from .rows import rows_csv
from .run import Study
from .summary import FEW, summary
from .tables import compared_settings, tables_of

FORMAT = 1
TEMPLATE = Path(__file__).parent / "study.html.jinja"
FEWEST_PLACES = 4
"""Settings that a plot of suppression against its cost is drawn for; two or three are read faster as a table."""


@dataclass(frozen=True)
class StudyReport:
    """What a report says.

    Attributes:
        results: what ``results.json`` holds.
        figures: of every arm of every concept.
    """

    results: dict[str, Any]
    figures: Mapping[str, Figures]


def write_study(study: Study, measured: Sequence[Result]) -> StudyReport:
    """Write the report's files into the study's folder."""
    figures = study_figures(measured)
    results = _finite(results_of(study, measured, figures))
    tables = tables_of(figures, results["presence"])
    write_text(study.out / "rows.csv", rows_csv(study, measured))
    write_text(study.out / "table.md", "\n".join(table.markdown() for table in tables))
    write_text(study.out / "table.tex", "\n".join(table.latex() for table in tables))
    sections = [_section(study, one, figures[one.subject.name], results) for one in measured]
    plan = study.plan
    chosen_by = rule(plan.dev[0], plan.finals[0], plan.ranks)
    write_report(
        study.out / "report.html",
        TEMPLATE,
        results=results,
        tables=tables,
        sections=sections,
        rule=chosen_by,
        roles=ROLES,
    )
    write_text(study.out / "results.json", json.dumps(results, indent=1, ensure_ascii=False))
    write_text(study.out / "timing.json", json.dumps(timing(study), indent=1))
    return StudyReport(results, figures)


def timing(study: Study) -> dict[str, Any]:
    """How long the pictures took and what they weigh; apart from the results, which are the same on every machine."""
    units = list(study.renderer.folder.glob("*/unit.json"))
    records = {path.parent: parse_object(read_text(path), str(path)) for path in units}
    files = [file for folder in records for file in folder.glob("*.png")]
    return {
        "pictures": len(files),
        "drawing_seconds": round(sum(record["seconds"] for record in records.values()), 1),
        "megabytes": round(sum(file.stat().st_size for file in files) / 2**20, 1),
    }


def results_of(study: Study, measured: Sequence[Result], figures: Mapping[str, Figures]) -> dict[str, Any]:
    """The study as JSON values: what was done, with what, and every figure."""
    model, plan = study.model, {part.name: getattr(study.plan, part.name) for part in fields(study.plan)}
    guidance = study.plan.guidance_on(model.family)
    return {
        "format": FORMAT,
        "package": __version__,
        "model": {
            "name": model.name,
            "family": model.family,
            "weights": model.weights_hash(),
            "dtype": str(model.dtype),
        },
        "sampler": {"name": model.sampler, "scheduler": model.scheduler, "guidance": guidance, "steps": plan["steps"]},
        "plan": {**plan, "presets": dict(study.plan.presets)},
        "metrics": [metric.identity() for metric in study.metrics],
        "presence": _presence_source(study),
        "warnings": _warnings(study, measured),
        "concepts": {one.subject.name: _concept(one, figures[one.subject.name]) for one in measured},
    }


def _concept(one: Result, figures: Figures) -> dict[str, Any]:
    choice, study_k = one.choice, one.choice.study_k if one.choice else 0
    return {
        "chosen": choice.chosen.to_json() if choice else None,
        "study_k": study_k,
        "pairs": one.vectors.captured.blocks.pairs if one.vectors else 0,
        "vectors": _vectors_used(one),
        "summary": summary(one.subject.name, figures),
        "arms": {name: asdict(arm) for name, arm in figures.items()},
        "claims": [asdict(claim) for claim in claims(figures, one.measurements, study_k)],
        "dev": [outcome.to_json() for outcome in choice.dev] if choice else [],
        "finals": [outcome.to_json() for outcome in choice.finals] if choice else [],
    }


def _vectors_used(one: Result) -> dict[str, Any]:
    """How every steered arm was steered, with a hash of its vector; of a control, of every draw."""
    used = {}
    for arm in one.arms:
        how = arm.setting
        if how is not None:
            name = Path(how.vector).name if isinstance(how.vector, str) else how.vector.name
            applied = {"preset": how.preset, "strength": how.strength, "window": list(how.window)}
            used[arm.name] = {"vector": name, "digest": _digest(one, arm), **applied}
    return used


def _digest(one: Result, arm: Arm) -> Any:
    draws = sorted({item.draw for item in one.measurements[arm.name].items} - {""})
    if draws:
        return {draw: _digest_of(one.vector(arm.drawn(draw))) for draw in draws}
    return _digest_of(one.vector(arm))


def _digest_of(vector: SteeringVector | None) -> str:
    return vector.digest() if vector else ""


def _presence_source(study: Study) -> str:
    """Who says how much of the concept is there, in every figure but the judge's own."""
    embedded = any(metric.name == "pocket_judge" for metric in study.metrics)
    return "the embedded judge" if embedded else "zero-shot CLIP"


def _warnings(study: Study, measured: Sequence[Result]) -> list[str]:
    """What a reader must know before any figure."""
    names, found = {metric.name for metric in study.metrics}, [*filter(None, map(_of_another, measured))]
    originals = [one.measurements["original"] for one in measured]
    targets = [len(set(original.names()) & _of_role(original, "target")) for original in originals]
    if "inception" not in names:
        found.append("No Inception weights were given: distances are of CLIP features, FD-CLIP, and not FID.")
    pictures = min(int(original.role("target").sum()) for original in originals)
    if pictures < 2000:
        found.append(f"{pictures} pictures a side bias every Fréchet distance upward; read it beside its floor.")
    if "lpips" not in names:
        found.append("No LPIPS weights were given: change of CLIP features and root mean square of pixels stand in.")
    if any(one.subject.name == "nudity" for one in measured) and "nudenet" not in names:
        found.append("NudeNet was not run (extra 'nudity'), so the source study's third table is missing.")
    cut = sum(len(by_prompt(np.where(_cut(original), 1.0, np.nan), original.names())) for original in originals)
    if cut:
        found.append(f"{cut} prompts are longer than CLIP reads; its score does not see their ends.")
    if min(targets) < FEW:
        found.append(f"Only {min(targets)} target prompts: intervals are wide, and tests can hardly find anything.")
    if not study.guided([one.subject for one in measured]):
        found.append("Guidance is 1, at which a negative prompt does nothing; that arm is left out.")
    dropped = sorted({name for metric in study.metrics for name in getattr(metric, "dropped", ())})
    if dropped:
        found.append(f"The judge's server does not take {', '.join(dropped)}; its answers vary from time to time.")
    return found


def _of_another(one: Result) -> str:
    """That a vector was made for another concept than it is measured on."""
    name = one.subject.name
    for vector in (one.vector(arm) for arm in one.arms if arm.group == "steered"):
        if vector and vector.concept and name not in vector.concept:
            return (
                f"The vector was made for {vector.concept}, and what is measured is {name}: name the vector's own "
                "concept, unless this is meant."
            )
    return ""


def _of_role(measurements: Measurements, role: str) -> set[str]:
    return {name for name, mine in zip(measurements.names(), measurements.role(role), strict=True) if mine}


def _cut(measurements: Measurements) -> np.ndarray:
    """Which prompts CLIP reads only in part."""
    return measurements.columns.get("clip_cut", np.zeros(len(measurements.items))) > 0


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: nothing takes their place."""
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- one concept's part of the page ---


def _section(study: Study, one: Result, figures: Figures, results: Mapping[str, Any]) -> dict[str, Any]:
    name, folder = one.subject.name, study.out / one.subject.name
    tables = []
    if one.choice:
        tables.append(compared_settings(f"{name}: the finalists, on more dev prompts", one.choice.finals))
        tables.append(compared_settings(f"{name}: all settings, on a few dev prompts", one.choice.dev))
    return {
        "name": name,
        "text": one.subject.concept.text,
        "explicit": one.subject.concept.explicit,
        "chosen": results["concepts"][name]["chosen"],
        "summary": results["concepts"][name]["summary"],
        "claims": results["concepts"][name]["claims"],
        "plots": [(f"{name}/{path.name}", what) for path, what in _plots(one, figures, folder)],
        "galleries": galleries(one, folder),
        "choice": tables,
    }


def _plots(one: Result, figures: Figures, folder: Path) -> list[tuple[Path, str]]:
    name, made = one.subject.name, []
    if one.vectors is not None:
        made.append((folder / "heatmap.png", "where the concept can be steered: score of every site and noise level"))
        mode = one.vectors.scores.mode
        plots.heat_map(one.vectors.scores, made[-1][0], f"Where {name} can be steered: D + C, {mode}")
        made.append((folder / "kinds.png", "scores by kind of site"))
        plots.by_kind(one.vectors.scores, made[-1][0])
    lines, points = _pareto(one, figures)
    if sum(map(len, lines.values())) + len(points) >= FEWEST_PLACES:
        made.append((folder / "pareto.png", "suppression against what it costs"))
        comparisons.curves(lines, points, made[-1][0], f"{name}: presence left against retention lost")
    rows = {arm: (part.presence.mean, part.presence.low, part.presence.high) for arm, part in figures.items()}
    made.append((folder / "presence.png", "presence in every arm, with 95 % intervals"))
    comparisons.intervals(rows, made[-1][0], f"{name}: presence of the concept in every arm", "presence, 0-100")
    changes = _clip_changes(one, figures)
    if changes:
        made.append((folder / "clip_change.png", "change of the CLIP score, prompt by prompt"))
        comparisons.sorted_changes(changes, made[-1][0], f"{name}: CLIP score with the full prompt", "change, percent")
    return made


def _cost(arm: ArmFigures) -> float:
    return float(np.mean([part.loss.mean for part in arm.losses.values()]))


def _pareto(
    one: Result, figures: Figures
) -> tuple[dict[str, list[tuple[float, float, str]]], dict[str, tuple[float, float]]]:
    def place(name: str, label: str) -> tuple[float, float, str]:
        return _cost(figures[name]), figures[name].presence.mean, label

    kept = [arm for arm in one.arms if figures[arm.name].losses]
    lines = {}
    for group, title in (("study", "projection over k"), ("cpca", "cPCA over k")):
        arms = [(arm, arm.setting.recipe.k) for arm in kept if arm.group == group and arm.setting]
        if len(arms) > 1:
            lines[title] = [place(arm.name, f"k{k}") for arm, k in arms]
    weaker = [(arm.setting.strength, arm.name) for arm in kept if arm.group == "strength" and arm.setting]
    if weaker and one.choice:
        title = f"projection over strength, k={one.choice.study_k}"
        lines[title] = [place(name, f"λ={strength:g}") for strength, name in sorted(weaker)]
    shown = ("chosen", "steered", "negative_prompt", "other_seed", "original")
    there = {arm.name for arm in kept}
    return lines, {name: place(name, "")[:2] for name in shown if name in there}


def _clip_changes(one: Result, figures: Figures) -> dict[str, np.ndarray]:
    column, changes = next(iter(TEXTS)), {}
    for name, arm in figures.items():
        if arm.group in ("study", "floor", "chosen", "steered") and column in arm.clip:
            steered, before = matched(one.measurements[name], one.measurements["original"], "target")
            sides = (by_prompt(side.columns[column], steered.names()) for side in (steered, before))
            changes[name] = percent_change(*sides)
    return changes
