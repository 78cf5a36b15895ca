"""Pictures of the best methods for a look that does not know them: ``uv run python benchmarks/peer_labels.py WORK``.

WORK is that of ``benchmarks/peers.py``. The same test targets under every method, mixed with pictures of the prompts
without the concept, go into ``peer_labels/`` with a table that waits for labels (`label_sheets`). ``--read`` prints
what the labels say beside the judge: percent of clean pictures, and how often the two agree. ``--ceiling`` does both
for a second set: the prompts without the concept of all these targets, with a few of ours among them, which says how
many pictures would be clean if every removal were perfect.
"""

import argparse
from pathlib import Path

import numpy as np
from label_sheets import PASSES, judged_of, kappa, read, write
from peer_methods.attacks import PLAIN, as_pictures
from peer_methods.learned import Method
from peer_methods.table import METHODS, ORIGINAL
from peers import Comparison

from steering import load_model
from steering.concepts.prompts import evaluated
from steering.evaluate.metrics import PocketJudge
from steering.evaluate.statistics import share
from steering.study.plan import Plan
from steering.study.removal import THERE
from steering.study.run import Study
from steering.study.subject import load_subject
from steering.study.table import interval

FOLDER = Path(__file__).parent / "peer_labels"
LOOKED_AT = ("conditional map of the text", "UCE, from the pairs", "concept slider")
WITHOUT = "prompt without it"
CEILING = "_ceiling"
"""End of the names of the second set."""


def draw(study: Study, name: str, options: argparse.Namespace) -> None:
    """Draw, mix and write the pictures of a concept."""
    (prepared,) = study.prepare([load_subject(name, "pocket", Plan())])
    compared = Comparison.of(study, prepared, options.dev, (options.count, 0, 0))
    targets, few = (compared.items("test", (count, 0, 0)) for count in (options.count, options.without))
    looked_at = LOOKED_AT[:1] if options.ceiling else LOOKED_AT
    without, steered = (targets, few) if options.ceiling else (few, targets)
    asked: list[tuple[str, Method, str, list, bool]] = [(WITHOUT, ORIGINAL, "", without, True)]
    for method in (one for one in METHODS if one.name in looked_at):
        asked.append((method.name, method, compared.chosen(method), steered, False))
    pictures, rows = [], []
    for title, method, setting, items, rest in asked:
        pictures += list(as_pictures(study.model, compared.pictures.latents(method, setting, items, PLAIN, rest)))
        rows += [(item.prompt.text, item.seed, title) for item in items]
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    write(
        FOLDER, name + CEILING * options.ceiling, [pictures[i] for i in order], [rows[i] for i in order], options.work
    )


def compare(name: str, end: str) -> None:
    """Print what the eye and the judge call clean, a row a method, of a set whose name ends so."""
    rows = read(FOLDER, name + end)
    by_judge = judged_of(FOLDER, name, "test", end)["clean"] > THERE
    passes = [np.array([row[f"clean{end}"] == "1" for row in rows]) for end in PASSES]
    settings = np.array([row["setting"] for row in rows])
    for title in (one for one in (*LOOKED_AT, WITHOUT) if one in settings):
        mine = settings == title
        cells = [interval(share(flags[mine])) for flags in (*passes, by_judge)]
        agree = 100 * np.mean([flags[mine] == by_judge[mine] for flags in passes])
        print("|", " | ".join([name, title, *cells, f"{agree:.0f}", str(mine.sum())]), "|")
    print(f"{name}: kappa of the two passes {kappa(*passes):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path, nargs="?", default=Path("peers"))
    parser.add_argument("--concepts", nargs="+", default=evaluated("pocket"))
    parser.add_argument("--count", type=int, default=60, help="test targets under every method")
    parser.add_argument("--without", type=int, default=20, help="pictures without the concept among them")
    parser.add_argument("--dev", type=int, nargs=3, default=(6, 3, 3), help="dev prompts that chose the settings")
    parser.add_argument("--read", action="store_true", help="print what the labels say")
    parser.add_argument("--ceiling", action="store_true", help="the second set")
    options = parser.parse_args()
    if options.read:
        for name in options.concepts:
            compare(name, CEILING * options.ceiling)
        return
    study = Study(load_model("pocket"), Plan(), options.work, [PocketJudge()])
    for name in options.concepts:
        draw(study, name, options)


if __name__ == "__main__":
    main()
