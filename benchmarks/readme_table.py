"""Print the README's table from finished demos: ``uv run python benchmarks/readme_table.py demo/dog demo/van_gogh``."""

import argparse
import json
from pathlib import Path

from steering.evaluate.statistics import Estimate
from steering.study.plan import CONTROLS, STUDY
from steering.study.table import interval


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    head = (
        "concept",
        "setting",
        "clean, %",
        "presence",
        "debris",
        "siblings lose",
        "unrelated lose",
        "controls a, b, c",
    )
    print(f"| {' | '.join(head)} |")
    print(f"|{'---|' * len(head)}")
    for folder in parser.parse_args().folders:
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        for concept, part in results["concepts"].items():
            arms, k = part["arms"], part["study_k"]
            strength = results["plan"]["presets"]["projection"][0]
            source = {"preset": "projection", "strength": strength, "k": k, "rank": 1}
            rows = [(f"study_k{k}", source), ("chosen", part["chosen"])]
            for name, setting in rows[part["chosen"] == source :]:
                rank = f", rank {setting['rank']}" * (setting["rank"] > 1)
                where = "text" if setting.get("sites") == "text" else f"k = {setting['k']}"
                text = f"{setting['preset']} {setting['strength']:g}, {where}{rank}"
                is_chosen = name == "chosen"
                beside = [("" if is_chosen else STUDY) + control for control in CONTROLS]
                left = [arms[control]["removal"]["presence"]["mean"] for control in beside if control in arms]
                controls = ", ".join(f"{value:.0f}" for value in left)
                losses = [arms[name]["losses"][role] for role in ("sibling", "unrelated")]
                lost = [f"{loss['loss']['mean']:.1f} (≤ {loss['bound']:.1f})" for loss in losses]
                parts = arms[name]["removal"]
                shown = [interval(Estimate(**parts[p])) if parts[p] else "" for p in ("clean", "presence", "debris")]
                row = (concept, text + " (chosen)" * is_chosen, *shown, *lost, controls)
                print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
