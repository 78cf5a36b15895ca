"""The command ``steering demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from .options import Json, answer, console, progress
from .study import short


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
    from ..study.demo import FULL, QUICK, planned_rows, run_demo, with_prompts

    load_concept(concept)
    plan, folder = QUICK if quick else FULL, out / (f"{concept}_quick" if quick else concept)
    if prompts:
        plan, folder = with_prompts(plan, prompts), folder.with_name(f"{folder.name}_{prompts}")
    rows = planned_rows(plan)
    console.print(
        f"{rows:,} UNet rows at most; n = {plan.test} test prompts (target, sibling, unrelated); into {folder}"
    )
    with progress(rows, "demo") as update:
        results = run_demo(concept, folder, plan, update)["concepts"][concept]
    _print_demo(concept, results)
    report = str(folder / "report.html")
    answer({"concept": concept, "report": report, **short(results)}, as_json, f"report: {report}")


def _print_demo(concept: str, results: dict[str, Any]) -> None:
    from ..study.tables import costs, interval

    chosen, arms = results["chosen"], results["arms"]
    table = Table(title=f"{concept}, means over {arms['original']['n']['target']} test prompts with 95 % intervals")
    for heading in ("arm", "presence", "siblings lose (≤)", "unrelated lose (≤)"):
        table.add_column(heading, justify="left" if heading == "arm" else "right")
    for name, arm in arms.items():
        if arm["group"] != "strength":
            lost = ("", "") if arm["group"] == "original" else costs(arm)[:2]
            table.add_row(name, interval(arm["presence"]), *lost)
    console.print(table)
    console.print(
        f"chosen on dev: {chosen['preset']}, k = {chosen['k']}, strength {chosen['strength']:g}, rank {chosen['rank']}"
    )
