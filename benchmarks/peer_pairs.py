"""Which of two pictures is the better, by a blind eye: ``uv run python benchmarks/peer_pairs.py WORK``.

How much a labeller lets pass differs from one to the next; which of two pictures of one prompt and seed is the better
drawing depends less on it. WORK is that of ``benchmarks/peers.py``. The local map stands beside the prompt without the
concept, which nobody steered, and beside its nearest peers, the sides by chance, on sheets and in a table of
``peer_labels/`` that waits for left, right or same. ``--read`` prints who won.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from label_sheets import PASSES, enlarged, folded, kappa, keep, read
from peer_labels import FOLDER, LOOKED_AT, WITHOUT
from peer_methods.attacks import PLAIN, as_pictures
from peer_methods.table import METHODS, ORIGINAL
from peers import Comparison

from steering import load_model
from steering.concepts.prompts import evaluated
from steering.evaluate.metrics import PocketJudge
from steering.evaluate.statistics import estimate
from steering.plots.pictures import labelled_grid, save_picture
from steering.study.plan import Plan
from steering.study.run import Study
from steering.study.subject import load_subject
from steering.study.table import interval

LOCAL = "local"
"""The setting of ours: what ``build --direction kernel`` gives, whatever dev prompts choose."""
END, ON_SHEET = "_pairs", 10
SIDES = ("left", "right")


class Pair(NamedTuple):
    """Two pictures ``uint8 [H, W, 3]`` of one prompt and seed, and on which side ours stands."""

    left: np.ndarray
    right: np.ndarray
    prompt: str
    seed: int
    rival: str
    ours: str


def pairs(compared: Comparison, count: int) -> list[Pair]:
    """Ours beside every rival, in random order."""
    items = compared.items("test", (count, 0, 0))
    by_name = {method.name: method for method in METHODS}
    settings = {name: LOCAL if name == LOOKED_AT[0] else compared.chosen(by_name[name]) for name in LOOKED_AT}
    latents = {n: compared.pictures.latents(by_name[n], setting, items, PLAIN) for n, setting in settings.items()}
    latents[WITHOUT] = compared.pictures.latents(ORIGINAL, "", items, PLAIN, rest=True)
    pictures = {name: as_pictures(compared.learned.model, made) for name, made in latents.items()}
    rng, made = np.random.default_rng(count), []
    for rival in (WITHOUT, *LOOKED_AT[1:]):
        for i, item in enumerate(items):
            sides = [pictures[LOOKED_AT[0]][i], pictures[rival][i]]
            first = int(rng.integers(2))
            made.append(Pair(sides[first], sides[1 - first], item.prompt.rest, item.seed, rival, SIDES[first]))
    return [made[i] for i in rng.permutation(len(made))]


def write(name: str, made: list[Pair], work: Path) -> None:
    """Write the pictures, the table, and sheets that do not name the rivals."""
    sides = [side for pair in made for side in (pair.left, pair.right)]
    rows = [(pair.prompt, pair.seed, pair.rival, pair.ours) for pair in made]
    keep(FOLDER, name + END, sides, ("prompt", "seed", "rival", "ours"), rows, ("better",))
    for start in range(0, len(made), ON_SHEET):
        some = range(start, min(start + ON_SHEET, len(made)))
        shown = [enlarged(side) for side in sides[2 * start : 2 * some.stop]]
        labels = [f"{i} {side}" for i in some for side in SIDES]
        notes = [note for i in some for note in ("\n".join(folded(made[i].prompt)), "")]
        sheet = labelled_grid(shown, labels, 4, notes)
        save_picture(sheet, work / "sheets" / f"{name}{END}_{start // ON_SHEET}.png")


def told(name: str) -> None:
    """Print how often the eye preferred ours, the rival, or neither, in percent, and the balance."""
    rows = read(FOLDER, name + END)
    passes = [np.array([row[f"better{end}"] for row in rows]) for end in PASSES]
    ours, rivals = (np.array([row[column] for row in rows]) for column in ("ours", "rival"))
    for rival in dict.fromkeys([WITHOUT, *rivals.tolist()]):
        mine = rivals == rival
        # 1 where ours is the better, -1 where the rival is: the mean of the passes, a pair counts once.
        balance = np.mean([np.where(one == "same", 0, np.where(one == ours, 1, -1))[mine] for one in passes], axis=0)
        shares = [100 * np.mean([(one == value)[mine] for one in passes]) for value in (ours, "same")]
        cells = [f"{shares[0]:.0f}", f"{shares[1]:.0f}", f"{100 - sum(shares):.0f}", interval(estimate(100 * balance))]
        print("|", " | ".join([name, rival, *cells, str(mine.sum())]), "|")
    print(f"{name}: kappa of the two passes {kappa(*(one == ours for one in passes)):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path, nargs="?", default=Path("peers"))
    parser.add_argument("--concepts", nargs="+", default=evaluated("pocket"))
    parser.add_argument("--count", type=int, default=40, help="test targets beside every rival")
    parser.add_argument("--dev", type=int, nargs=3, default=(12, 6, 6), help="dev prompts that choose peers' settings")
    parser.add_argument("--read", action="store_true", help="print what the labels say")
    options = parser.parse_args()
    if options.read:
        for name in options.concepts:
            told(name)
        return
    study = Study(load_model("pocket"), Plan(), options.work, [PocketJudge()])
    for prepared in study.prepare([load_subject(name, "pocket", Plan()) for name in options.concepts]):
        compared = Comparison.of(study, prepared, options.dev, (options.count, 0, 0))
        write(prepared.subject.name, pairs(compared, options.count), options.work)


if __name__ == "__main__":
    main()
