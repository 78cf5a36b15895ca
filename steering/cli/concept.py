"""The commands ``steering concept``: sets of prompts of one's own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter

from .options import Json, answer

concept = App(name="concept", help="Sets of prompts of one's own.")


@concept.command
def check(
    name: str,
    /,
    *,
    family: Annotated[
        str, Parameter(help="Family of models whose built-in concepts are known: pocket or sd15.")
    ] = "sd15",
    as_json: Json = False,
) -> None:
    """Say what is weak in a concept's prompts, with the rows.

    Args:
        name: A folder with concept.json, fit.csv, dev.csv and test.csv, or a built-in concept.
    """
    from ..concepts.checking import check_concept
    from ..models.text import chunks
    from ..pocket.latents import tokenizer

    words = tokenizer()
    found = check_concept(name, family, lambda text: len(chunks(text, words)))
    lines = []
    for finding in found:
        lines += [f"{finding.what}: {finding.text}", *(f"    {row}" for row in finding.rows)]
        lines += [f"    and {finding.count - len(finding.rows)} more"] * (finding.count > len(finding.rows))
    answer(
        {"concept": name, "findings": [asdict(finding) for finding in found]},
        as_json,
        "\n".join(lines) or "nothing weak was found",
    )
