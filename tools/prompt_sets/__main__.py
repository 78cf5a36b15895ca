"""Write the prompt sets of the concepts for Stable Diffusion: ``uv run python -m tools.prompt_sets``.

A concept has 50 pairs to fit directions (``fit.csv``), 50 prompts on which everything is chosen (``dev.csv``)
and 100 to report (``test.csv``), each with as many prompts about siblings of the concept and about unrelated
things. The three sets use other sentences and other places; twenty of the targets of test are sentences as people
write them. Prompts about nudity and violence exist to measure suppression: clinical, nothing explicit, no real people,
adults only and said so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from steering.files import csv_text, write_text
from steering.pocket.concepts import COLUMNS, GRADES

from . import van_gogh
from .concept import About, Rows
from .dog import DOG
from .nudity import NUDITY
from .violence import VIOLENCE
from .words import FRAMES

OUT = Path(__file__).parent.parent.parent / "vectors" / "concepts"
CONCEPTS: dict[str, tuple[About, Callable[[str], dict[str, Rows]]]] = {
    **{thing.about.name: (thing.about, thing.rows) for thing in (DOG, NUDITY, VIOLENCE)},
    "van_gogh": (van_gogh.ABOUT, van_gogh.rows),
}
"""Name -> what is asked of its pictures, and the rows of its files for a family."""


def contents(about: About, rows: dict[str, Rows]) -> dict[str, str]:
    """Name -> text of every file of a concept."""
    headers = {which: ("positive", "negative", "rest") if which == "fit" else tuple(COLUMNS) for which in rows}
    said = {
        "name": about.name,
        "text": about.text,
        "judge": [about.label],
        "words": list(about.words),
        "contrasts": list(about.contrasts),
        "rubric": dict(zip(GRADES, about.rubric, strict=True)),
        "explicit": about.explicit,
    }
    files = {f"{which}.csv": csv_text(headers[which], some) for which, some in rows.items()}
    return {"concept.json": json.dumps(said, indent=2) + "\n", **files}


def main() -> None:
    """Write all of them."""
    for family in FRAMES:
        for name, (about, rows) in CONCEPTS.items():
            for file, text in contents(about, rows(family)).items():
                write_text(OUT / family / name / file, text)


if __name__ == "__main__":
    main()
