"""The command ``steering demo``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.box import SIMPLE_HEAD
from rich.table import Table

from .options import Json
from .output import answer, console, progress, tell

if TYPE_CHECKING:
    from ..study.records import Figures


def demo(
    *,
    concept: str = "dog",
    out: Path = Path("demo"),
    quick: bool = False,
    prompts: Annotated[int | None, Parameter(validator=Number(gte=2, lte=100))] = None,
    as_json: Json = False,
) -> None:
    """Steer a concept out of the embedded model, and measure it: the whole chain in one command.

    Args:
        concept: dog, van_gogh or violence.
        out: Folder of the report; an interrupted demo goes on there.
        quick: Fewer prompts: minutes instead of half an hour.
        prompts: Test prompts of each role.
    """
    from ..concepts.prompts import load_concept
    from ..study.demo import FULL, QUICK, planned_rows, run_demo, summary, with_prompts

    load_concept(concept)
    plan, folder = QUICK if quick else FULL, out / (f"{concept}_quick" if quick else concept)
    if prompts:
        plan, folder = with_prompts(plan, prompts), folder.with_name(f"{folder.name}_{prompts}")
    rows = planned_rows(plan)
    tell(f"{rows:,} UNet rows at most; n = {plan.test} test prompts (target, sibling, unrelated); into {folder}")
    started = time.monotonic()
    with progress(rows, "demo") as update:
        written = run_demo(concept, folder, plan, update)
    chosen = written.results["concepts"][concept]["chosen"]
    _print_demo(concept, written.figures[concept], chosen)
    report = str(folder / "report.html")
    found = {**summary(concept, written), "seconds": round(time.monotonic() - started, 1), "report": report}
    answer(found, as_json, f"report: {report}")


def _print_demo(concept: str, figures: Figures, chosen: dict[str, Any]) -> None:
    from ..study.table import interval

    table = Table(
        title=f"{concept}, means over {figures['original'].n['target']} test prompts", box=SIMPLE_HEAD, pad_edge=False
    )
    headings = ("clean [95 %]", "presence", "debris", "kept", "siblings lose", "others lose")
    for heading in ("arm", *headings):
        fixed = {"no_wrap": heading in ("arm", headings[0]), "min_width": max(map(len, heading.split()))}
        table.add_column(heading, justify="left" if heading == "arm" else "right", **fixed)
    for name, arm in figures.items():
        if arm.group == "strength":
            continue
        means = [arm.presence, arm.removal.debris, arm.removal.kept]
        losses = [arm.losses.get(role) for role in ("sibling", "unrelated")] if arm.group != "original" else [None] * 2
        means += [None if part is None else part.loss for part in losses]
        table.add_row(name, interval(arm.removal.clean, 0), *("" if m is None else f"{m.mean:.1f}" for m in means))
    console.print(table)
    where = chosen.get("sites", f"k = {chosen['k']}")
    tell(f"chosen on dev: {chosen['preset']}, {where}, strength {chosen['strength']:g}, rank {chosen['rank']}")
