"""Print the README's table from finished demos: ``uv run python benchmarks/readme_table.py demo/dog demo/van_gogh``."""

import argparse
import json
from pathlib import Path

from steering.evaluate.statistics import Estimate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    print("| concept | setting | presence, original → steered | siblings lose | unrelated lose | controls a, b, c |")
    print("|---|---|---|---|---|---|")
    for folder in parser.parse_args().folders:
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        for name, part in results["presets"].items():
            presence = part["presence"]["interval"]
            k = str(part["k"])
            is_chosen = name == results["chosen"]["preset"]
            rank = f", rank {part['rank']}" if part["rank"] > 1 else ""
            setting = f"{name} {part['strength']:g}, k = {k}{rank}" + (" (chosen)" if is_chosen else "")
            controls = (
                ", ".join(f"{c['presence']['mean']:.0f}" for c in results["controls"].values()) if is_chosen else ""
            )
            losses = [part[role] for role in ("siblings", "unrelated")]
            lost = [f"{loss['loss']['mean']:.1f} (≤ {loss['upper_bound']:.1f})" for loss in losses]
            shown = f"{Estimate(**presence['original'])} → {Estimate(**presence[k])}"
            row = (results["concept"], setting, shown, *lost, controls)
            print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
