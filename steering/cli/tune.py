"""The command ``steering tune``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from ..errors import SteeringError
from .options import AtLeastTwo, BatchedSampling, ClipOptions, ClusterOptions, Force, Json, Model, new_file
from .output import answer, console, progress, tell
from .placement import HERE, Placement

SHOWN = 5
"""Settings printed after every round."""


def tune(
    model: Model,
    concept: str,
    /,
    *,
    out: Path,
    folder: Path | None = None,
    quick: bool = False,
    exportable: bool = False,
    pairs: AtLeastTwo | None = None,
    sampling: BatchedSampling = BatchedSampling(),
    clip: ClipOptions = ClipOptions(),
    cluster: ClusterOptions = ClusterOptions(),
    placement: Placement = HERE,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Find preset, sites, directions, strength and window that take a concept out cleanly at the least cost.

    Optuna proposes settings, which are compared on dev prompts, half of the targets under more guidance, by clean
    removal, by what sibling and unrelated prompts lose, and by the worst third of the pictures; on other models than
    the embedded one, by the distance to the counterfactual in CLIP. Interrupted, the command goes on. What is printed
    was chosen as the best of many: for figures to report, run steering evaluate with the vector.

    Args:
        concept: A built-in concept, or a folder of one.
        out: Vector to write, .safetensors, with its recommended setting.
        folder: Where captures, pictures, table and plot are kept; OUT's name and _tune.
        quick: A handful of settings and prompts.
        exportable: Only what export-lora holds exactly.
        pairs: Pairs to capture; all if not given.
    """
    from ..evaluate.measures import Measures, metrics_of
    from ..study.choice import TAKEN, WORTH
    from ..study.folder import run_fingerprint, work_in
    from ..study.plan import Plan
    from ..study.pool import Bench
    from ..study.subject import load_subject
    from ..tune.front import front_plot
    from ..tune.search import FULL, QUICK, planned_rows, search_of, write_table

    new_file(out, "vector", inputs=[model, concept], force=force)
    folder = folder or out.with_name(f"{out.stem}_tune")
    if folder.exists() and not folder.is_dir():
        raise SteeringError(f"--folder {folder} is a file; name a folder")
    loaded = placement.load(model)
    plan = replace(Plan(), **asdict(sampling))
    plan = replace(plan, pairs=pairs or (12 if quick else plan.pairs))
    subject = load_subject(concept, loaded.family, plan)
    measures = Measures(**asdict(clip))
    metrics = metrics_of(measures, loaded.family, [], folder, str(loaded.device))
    search = search_of(loaded, subject, folder, metrics, QUICK if quick else FULL, plan, exportable, tell=_print)
    rows = planned_rows(search)
    with (
        work_in(folder, run_fingerprint("tune", loaded, plan, [subject], quick=quick, exportable=exportable)),
        cluster.pool(model, placement.arguments(), measures, [], Bench(loaded, metrics)) as pool,
    ):
        tell(f"{rows:,} UNet rows at most; {_counts(search)}; into {folder}")
        with progress(rows, "tune") as update:
            found = search.told(update, pool).run()
        taken = found.taken
        write_table(folder / "tune.json", search, found)
        front_plot(found, folder / "pareto.png", subject.name)
    search.vector(found).save(out)
    _show(f"{subject.name}: all dev prompts", found.finals, taken)
    tell(f"{WORTH} The best run on all dev prompts. {TAKEN}")
    values = {
        "out": str(out),
        "setting": taken.setting.name,
        "removed": round(taken.removed, 2),
        "presence": round(taken.presence, 2),
        "siblings_lose": round(taken.sibling, 2),
        "unrelated_lose": round(taken.unrelated, 2),
        "table": str(folder / "tune.json"),
        "plot": str(folder / "pareto.png"),
    }
    answer(values, as_json, f"{taken.setting.name}: {out}")


def _counts(search: Any) -> str:
    budget = search.budget
    return (
        f"{budget.trials} trials on n = {budget.few} dev prompts (target, sibling, unrelated), given up on "
        f"{budget.glance} where hopeless; the best {budget.finals} on {budget.all}"
    )


def _print(name: str, outcomes: Sequence[Any]) -> None:
    from ..study.choice import promising

    _show(f"{name}, {len(outcomes)} settings so far", promising(outcomes, SHOWN))


def _show(title: str, outcomes: Sequence[Any], taken: Any = None) -> None:
    from ..tune.front import front_table

    made = front_table(title, outcomes, taken=taken)
    table = Table(title=made.title)
    for heading in made.header:
        table.add_column(heading, justify="left" if heading == "setting" else "right")
    for row in made.rows:
        table.add_row(*row)
    console.print(table)
