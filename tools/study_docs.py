"""Put a study's claims, tables and main pictures into ``docs/study``.

    uv run steering study pocket --out study
    uv run python tools/study_docs.py study

Writes ``results.md``, ``results.json`` and pictures as WebP; ``README.md`` there is written by hand.
"""

import argparse
import json
import shutil
from pathlib import Path

from PIL import Image

OUT = Path(__file__).parent.parent / "docs" / "study"
PICTURES = (
    ("gallery_fixed", "Target prompts spread evenly over the list, not picked"),
    ("gallery_weakest", "The worst pictures of the chosen setting"),
    ("gallery_worst", "The worst retention of the chosen setting"),
    ("pareto", "Presence left against what siblings and unrelated prompts lose"),
    ("presence", "Presence in every arm"),
    ("clip_change", "Change of the CLIP score, prompt by prompt"),
    ("heatmap", "Scores of every site and noise level"),
    ("kinds", "Scores by kind of site"),
)


def claims(concept: str, part: dict) -> str:
    lines = ["| claim | answer | evidence |", "| --- | --- | --- |"]
    lines += [f"| {f['claim']} | **{f['answer']}** | {f['evidence']} |" for f in part["claims"]]
    chosen = ", ".join(f"{name} {value}" for name, value in part["chosen"].items())
    return f"## {concept}\n\nChosen on dev: {chosen}.\n\n" + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    study = parser.parse_args().study
    results = json.loads((study / "results.json").read_text(encoding="utf-8"))
    OUT.mkdir(parents=True, exist_ok=True)
    text = [
        "# Findings and tables",
        "",
        f"Written by `tools/study_docs.py` from a study of `{results['model']['name']}`.",
        "",
    ]
    for concept, part in results["concepts"].items():
        text.append(claims(concept, part))
        for name, caption in PICTURES:
            with Image.open(study / concept / f"{name}.png") as image:
                image.convert("RGB").save(OUT / f"{concept}_{name}.webp", quality=80)
            text.append(f"![{caption}]({concept}_{name}.webp)\n\n{caption}.\n")
    text += ["# Tables", "", (study / "table.md").read_text(encoding="utf-8")]
    (OUT / "results.md").write_text("\n".join(text), encoding="utf-8")
    shutil.copy(study / "results.json", OUT / "results.json")


if __name__ == "__main__":
    main()
