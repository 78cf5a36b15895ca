"""Everything that a study writes for its readers: one HTML page, pictures, rows, tables, figures as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from ..capture import usual
from ..evaluate import plots
from ..evaluate.choice import RULE, SETTING
from ..evaluate.metrics import percent_change
from ..evaluate.prompts import ROLES
from ..evaluate.report import write_report
from ..evaluate.strip import notes_of
from ..files import write_text
from ..pairs import spread
from ..version import __version__
from .figures import TEXTS, matched, study_figures
from .findings import Finding, findings
from .pictures import read_picture
from .plan import Arm, Recipe
from .readings import Readings, by_prompt, lost, presence
from .run import Study, Subject
from .tables import Figures, compared_settings, tables_of, to_csv

FORMAT = 1
TEMPLATE = Path(__file__).parent / "study.html.jinja"
SHOWN = 6
"""Prompts in each gallery."""
STRIP = 3
"""Prompts in the strength strip."""
THUMB = 256
"""Longest side of a picture in a gallery."""


def write_study(study: Study) -> dict[str, Any]:
    """Write the report's files into the study's folder; returns what ``results.json`` holds."""
    figures = study_figures(study.subjects)
    results = _finite(results_of(study, figures))
    tables = tables_of(figures, results["presence"])
    write_text(study.out / "rows.csv", rows_csv(study))
    write_text(study.out / "table.md", "\n".join(table.markdown() for table in tables))
    write_text(study.out / "table.tex", "\n".join(table.latex() for table in tables))
    sections = [_section(study, subject, figures[subject.concept.name], results) for subject in study.subjects]
    write_report(
        study.out / "report.html", TEMPLATE, results=results, tables=tables, sections=sections, rule=RULE, roles=ROLES
    )
    write_text(study.out / "results.json", json.dumps(results, indent=1, ensure_ascii=False))
    write_text(study.out / "timing.json", json.dumps(timing(study), indent=1))
    return results


def timing(study: Study) -> dict[str, Any]:
    """How long the pictures took and what they weigh; apart from the results, which are the same on every machine."""
    units = list(study.studio.folder.glob("*/unit.json"))
    records = {path.parent: json.loads(path.read_text(encoding="utf-8")) for path in units}
    files = [file for folder in records for file in folder.glob("*.png")]
    return {
        "pictures": len(files),
        "drawing_seconds": round(sum(record["seconds"] for record in records.values()), 1),
        "megabytes": round(sum(file.stat().st_size for file in files) / 2**20, 1),
    }


def results_of(study: Study, figures: Mapping[str, Figures]) -> dict[str, Any]:
    """The study as JSON values: what was done, with what, and every figure."""
    model, plan = study.model, {part.name: getattr(study.plan, part.name) for part in fields(study.plan)}
    guidance = usual(model.family).guidance if plan["guidance"] is None else plan["guidance"]
    concepts = {}
    for subject in study.subjects:
        name = subject.concept.name
        concepts[name] = {
            "chosen": None if subject.chosen is None else dict(zip(SETTING, subject.chosen, strict=True)),
            "study_k": subject.study_k,
            "pairs": 0 if subject.vectors is None else subject.vectors.activations.pairs,
            "vectors": _vectors_used(study, subject),
            "arms": figures[name],
            "findings": [asdict(found) for found in findings(figures[name], subject.readings, subject.study_k)],
            "dev": subject.dev,
            "finals": subject.finals,
        }
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
        "warnings": _warnings(study),
        "concepts": concepts,
    }


def _vectors_used(study: Study, subject: Subject) -> dict[str, Any]:
    """How every steered arm was steered, with a hash of its vector."""
    used = {}
    for arm in subject.arms:
        vector = study.vector(subject, arm)
        if vector is not None:
            recipe = arm.vector.name if isinstance(arm.vector, Recipe) else Path(str(arm.vector)).name
            how = {"preset": arm.preset, "strength": arm.strength, "window": list(arm.window)}
            used[arm.name] = {"vector": recipe, "digest": vector.digest(), **how}
    return used


def _presence_source(study: Study) -> str:
    """Who says how much of the concept is there, in every figure but the judge's own."""
    embedded = any(metric.name == "pocket_judge" for metric in study.metrics)
    return "the embedded judge" if embedded else "zero-shot CLIP"


def _warnings(study: Study) -> list[str]:
    """What a reader must know before any figure."""
    names, found = {metric.name for metric in study.metrics}, []
    originals = [subject.readings["original"] for subject in study.subjects]
    targets = [len(set(original.names()) & _of_role(original, "target")) for original in originals]
    if "inception" not in names:
        found.append("No Inception weights were given: distances are of CLIP features, FD-CLIP, and not FID.")
    if min(targets) < 2000:
        found.append(f"{min(targets)} pictures a side bias every Fréchet distance upward; read it beside its floor.")
    if "lpips" not in names:
        found.append("No LPIPS weights were given: change of CLIP features and root mean square of pixels stand in.")
    if any(subject.concept.name == "nudity" for subject in study.subjects) and "nudenet" not in names:
        found.append("NudeNet was not run (extra 'nudity'), so the study's third table is missing.")
    cut = sum(len(by_prompt(np.where(_cut(original), 1.0, np.nan), original.names())) for original in originals)
    if cut:
        found.append(f"{cut} prompts are longer than CLIP reads; its score does not see their ends.")
    if min(targets) < 20:
        found.append(f"Only {min(targets)} target prompts: intervals are wide, and tests can hardly find anything.")
    if not study.guided:
        found.append("Guidance is 1, at which a negative prompt does nothing; that arm is left out.")
    dropped = sorted({name for metric in study.metrics for name in getattr(metric, "dropped", ())})
    if dropped:
        found.append(f"The judge's server does not take {', '.join(dropped)}; its answers vary from time to time.")
    return found


def _of_role(readings: Readings, role: str) -> set[str]:
    return {name for name, mine in zip(readings.names(), readings.role(role), strict=True) if mine}


def _cut(readings: Readings) -> np.ndarray:
    """Which prompts CLIP reads only in part."""
    return readings.columns.get("clip_cut", np.zeros(len(readings.items))) > 0


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: nothing takes their place."""
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def rows_csv(study: Study) -> str:
    """One row a picture: everything raw that was measured on it."""
    columns = sorted({name for s in study.subjects for r in s.readings.values() for name in r.columns})
    header = (*_ABOUT, *columns)
    rows = []
    for subject in study.subjects:
        for arm in subject.arms:
            readings = subject.readings[arm.name]
            for i in range(len(readings.items)):
                values = [_cell(readings.columns[name][i]) if name in readings.columns else "" for name in columns]
                rows.append((*_about(study, subject, arm, readings, i), *values))
    return to_csv(header, rows)


_ABOUT = (
    *("concept", "arm", "group", "role", "prompt_id", "prompt", "repeat", "seed", "preset", "strength", "k", "rank"),
    *("direction", "selection", "control", "start", "end", "negative", "guidance", "picture", "sha256"),
)


def _about(study: Study, subject: Subject, arm: Arm, readings: Readings, i: int) -> tuple[Any, ...]:
    item, recipe = readings.items[i], arm.vector if isinstance(arm.vector, Recipe) else None
    made = (
        (recipe.k, recipe.rank, recipe.direction, recipe.selection, recipe.control) if recipe else ("", "", "", "", "")
    )
    preset, strength = (arm.preset, arm.strength) if arm.vector else ("", "")
    return (
        subject.concept.name,
        arm.name,
        arm.group,
        item.prompt.role,
        item.name,
        item.prompt.text,
        item.repeat,
        item.seed,
        preset,
        strength,
        *made,
        *arm.window,
        arm.negative,
        study.studio.guidance(item.prompt),
        readings.pictures[i].relative_to(study.out).as_posix(),
        readings.sha256[i],
    )


def _cell(value: Any) -> Any:
    if isinstance(value, np.floating):
        return "" if np.isnan(value) else float(f"{value:.6g}")
    return value.item() if isinstance(value, np.generic) else value


# --- one concept's part of the page ---


def _section(study: Study, subject: Subject, figures: Figures, results: Mapping[str, Any]) -> dict[str, Any]:
    name = subject.concept.name
    folder = study.out / name
    pictures = _plots(subject, figures, folder)
    tables = []
    if subject.finals:
        tables.append(compared_settings(f"{name}: the finalists, on more dev prompts", subject.finals))
        tables.append(compared_settings(f"{name}: all settings, on a few dev prompts", subject.dev))
    return {
        "name": name,
        "text": subject.concept.text,
        "explicit": subject.concept.explicit,
        "chosen": results["concepts"][name]["chosen"],
        "findings": [Finding(**found) for found in results["concepts"][name]["findings"]],
        "plots": [(f"{name}/{path.name}", what) for path, what in pictures],
        "galleries": _galleries(subject, folder),
        "choice": tables,
    }


def _plots(subject: Subject, figures: Figures, folder: Path) -> list[tuple[Path, str]]:
    name, made = subject.concept.name, []
    if subject.vectors is not None:
        made.append((folder / "heatmap.png", "where the concept can be steered: score of every site and noise level"))
        mode = subject.vectors.scores.mode
        plots.heat_map(subject.vectors.scores, made[-1][0], f"Where {name} can be steered: D + C, {mode}")
        made.append((folder / "kinds.png", "scores by kind of site"))
        plots.by_kind(subject.vectors.scores, made[-1][0])
    lines, points = _pareto(figures, subject.study_k)
    if lines or points:
        made.append((folder / "pareto.png", "suppression against what it costs"))
        plots.curves(lines, points, made[-1][0], f"{name}: presence left against retention lost")
    rows = {arm: tuple(part["presence"][key] for key in ("mean", "low", "high")) for arm, part in figures.items()}
    made.append((folder / "presence.png", "presence in every arm, with 95 % intervals"))
    plots.intervals(rows, made[-1][0], f"{name}: presence of the concept in every arm", "presence, 0-100")
    changes = _clip_changes(subject, figures)
    if changes:
        made.append((folder / "clip_change.png", "change of the CLIP score, prompt by prompt"))
        plots.sorted_changes(changes, made[-1][0], f"{name}: CLIP score with the full prompt", "change, percent")
    return made


def _cost(arm: Mapping[str, Any]) -> float:
    return float(np.mean([part["loss"]["mean"] for part in arm["lost"].values()]))


def _pareto(
    figures: Figures, study_k: int
) -> tuple[dict[str, list[tuple[float, float, str]]], dict[str, tuple[float, float]]]:
    def place(arm: Mapping[str, Any], label: str) -> tuple[float, float, str]:
        return _cost(arm), arm["presence"]["mean"], label

    kept = {name: arm for name, arm in figures.items() if arm["lost"]}
    lines = {}
    for group, title in (("study", "study preset over k"), ("cpca", "cPCA over k")):
        arms = {name: arm for name, arm in kept.items() if arm["group"] == group}
        if len(arms) > 1:
            lines[title] = [place(arm, name.rpartition("_")[2]) for name, arm in arms.items()]
    weaker = {float(name.rpartition("_")[2]): arm for name, arm in kept.items() if arm["group"] == "strength"}
    if weaker:
        lines[f"study preset over strength, k={study_k}"] = [
            place(weaker[strength], f"λ={strength:g}") for strength in sorted(weaker)
        ]
    names = ("chosen", "steered", "negative_prompt", "other_seed", "original")
    return lines, {name: place(kept[name], "")[:2] for name in names if name in kept}


def _clip_changes(subject: Subject, figures: Figures) -> dict[str, np.ndarray]:
    column, changes = next(iter(TEXTS)), {}
    for name, arm in figures.items():
        if arm["group"] in ("study", "floor", "chosen", "steered") and column in arm["clip"]:
            steered, before = matched(subject.readings[name], subject.readings["original"], "target")
            sides = (by_prompt(side.columns[column], steered.names()) for side in (steered, before))
            changes[name] = percent_change(*sides)
    return changes


def _galleries(subject: Subject, folder: Path) -> list[tuple[str, str]]:
    """(file relative to the page, caption) of three choices of prompts, none of them by taste."""
    k = subject.study_k
    wanted = ("original", "steered", f"study_k{k}", f"cpca_k{k}", "chosen", "isotropic")
    names = [name for name in wanted if name in subject.readings]
    best = "chosen" if "chosen" in names else names[-1] if names[-1] != "original" else ""
    # Controls draw target prompts only.
    keeping = [name for name in names if not subject.readings[name].role("target").all()]
    steered, made = subject.readings[best], []
    left, losses = presence(steered), lost(steered, subject.readings["original"])
    targets, others = _shared(subject, names, best, True), _shared(subject, keeping, best, False)
    choices = (
        ("fixed", "target prompts spread evenly over the list, not picked", names, spread(targets, SHOWN)),
        ("weakest", f"the weakest suppression of {best}", names, sorted(targets, key=lambda i: -left[i])),
        ("worst", f"the worst retention of {best}", keeping, sorted(others, key=lambda i: -losses[i])),
    )
    for title, caption, shown, places in choices:
        rows = [(steered.items[i].name, steered.items[i].repeat) for i in places[:SHOWN]]
        if rows:
            path = folder / f"gallery_{title}.png"
            _gallery(subject, shown, rows, path)
            made.append((f"{folder.name}/{path.name}", caption))
    return made + _strip(subject, folder)


def _strip(subject: Subject, folder: Path) -> list[tuple[str, str]]:
    """The study's preset at several strengths, from the pictures of those arms; nothing where there are none."""
    arms = {arm.strength: arm.name for arm in subject.arms if arm.group == "strength" and arm.name in subject.readings}
    if not arms:
        return []
    names = ["original", *(arms[strength] for strength in sorted(arms))]
    first = subject.readings[names[1]]
    rows = [
        (first.items[i].name, first.items[i].repeat) for i in spread(_shared(subject, names, names[1], True), STRIP)
    ]
    pictures, notes = [], []
    for row in rows:
        for name in names:
            readings = subject.readings[name]
            i = _places(readings)[row]
            pictures.append(thumbnail(read_picture(readings.pictures[i]), subject.concept.explicit))
            notes += notes_of(presence(readings)[[i]], readings.columns["change_rms"][[i]])
    labels = ["original", *(f"strength {strength:g}" for strength in sorted(arms))] * len(rows)
    plots.save_picture(plots.labelled_grid(pictures, labels, len(names), notes), folder / "strip.png")
    k = subject.study_k
    caption = f"preset study, k = {k}, at several strengths: presence of the concept, drift from the original (rms)"
    return [(f"{folder.name}/strip.png", caption)]


def _shared(subject: Subject, names: Sequence[str], best: str, targets: bool) -> list[int]:
    """Rows of the best arm, target prompts or the others, that all these arms draw."""
    drawn = [{(item.name, item.repeat) for item in subject.readings[name].items} for name in names]
    in_all = set.intersection(*drawn)
    items = subject.readings[best].items
    mine = [i for i, item in enumerate(items) if (item.prompt.role == "target") == targets]
    return [i for i in mine if (items[i].name, items[i].repeat) in in_all]


def _gallery(subject: Subject, names: Sequence[str], rows: Sequence[tuple[str, int]], path: Path) -> None:
    columns = []
    for name in names:
        place = _places(subject.readings[name])
        files = [subject.readings[name].pictures[place[row]] for row in rows]
        columns.append((name, np.stack([thumbnail(read_picture(file), subject.concept.explicit) for file in files])))
    first = subject.readings[names[0]]
    prompts = {(item.name, item.repeat): item.prompt.text for item in first.items}
    plots.gallery(columns, path, [prompts[row] for row in rows])


def _places(readings: Readings) -> dict[tuple[str, int], int]:
    """(a prompt's name, its repetition) -> its row."""
    return {(item.name, item.repeat): i for i, item in enumerate(readings.items)}


def thumbnail(picture: np.ndarray, blurred: bool) -> np.ndarray:
    """A picture ``uint8 [H, W, 3]`` of at most `THUMB` a side, blurred where it may be explicit."""
    image = Image.fromarray(picture)
    if max(image.size) > THUMB:
        image.thumbnail((THUMB, THUMB))
    if blurred:
        image = image.filter(ImageFilter.GaussianBlur(max(image.size) / 12))
    return np.asarray(image)
