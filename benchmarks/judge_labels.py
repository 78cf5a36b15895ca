"""Pictures by which the judge learns what the eye calls broken: ``uv run python benchmarks/judge_labels.py WORK``.

The model's own drawings of random captions, none of them a dev or test prompt (a few are such a prompt without the
concept, or one of the pairs), from seeds of their own: some of whatever it likes, unsteered, and some with a concept
that is steered, by every preset, mode and control (`pocket_labels.SETTINGS`), by maps of the text, which leave little
to find, and by the methods of others. None of them is a picture that anything is measured on. The tables wait for
labels: 0 whole, 1 a flaw that one has to look for, 2 something broken, ghosted, half faded or mixed is plain to see.
"""

import argparse
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from label_sheets import keep, sheets
from peer_labels import LOOKED_AT
from peer_methods.attacks import PLAIN, as_pictures, draw
from peer_methods.learned import Learned
from peer_methods.table import METHODS
from pocket_labels import MODEL, SETTINGS, Kit, kits

from steering.concepts.prompts import evaluated, load_prompts
from steering.families import family_named
from steering.pocket import world
from steering.study.setting import Recipe

FOLDER = Path(__file__).parent / "judge_labels"
SEED = 400_000
MAPS = {
    "conditional 1 text local": lambda kit: kit.applied(Recipe.of_text(), "conditional", 1.0),
    "conditional 1 text rank 8": SETTINGS["conditional 1 text rank 8"],
}
UNSTEERED = {"": {}, ", guidance 7.5": {"guidance": 7.5}, ", 12 steps": {"steps": 12}}
"""What is added to the name of unsteered pictures -> how they are sampled."""
SLOW = "ESD-x"
"""A method that is left out: it trains for each of its settings."""
BLOCKS = [name for name in SETTINGS if name not in MAPS and name not in ("unsteered", "counterfactual")]


def captions(rng: np.random.Generator, labels: tuple[str, ...] = ()) -> Iterator[str]:
    """Captions of random scenes, of which one of some labels is in each, where there are any."""
    known = {
        prompt.text for name in evaluated("pocket") for split in ("dev", "test") for prompt in load_prompts(name, split)
    }
    while True:
        scene = world.sample(rng, bool(rng.random() < 0.15))
        text = world.caption(scene, rng)
        if text not in known and (not labels or {*scene.objects, scene.style} & {*labels}):
            known.add(text)
            yield text


def generated(texts: Iterator[str], count: int, name: str, rng: np.random.Generator, **options: Any) -> list[tuple]:
    """Pictures of the next captions, with (caption, seed, name)."""
    some, seeds = list(islice(texts, count)), rng.integers(SEED, 2**31, count).tolist()
    pictures = MODEL.generate(some, seed=seeds, **options)
    return list(zip(pictures, zip(some, seeds, [name] * count, strict=True), strict=True))


def drawn(kit: Kit, labels: tuple[str, ...], maps: int, blocks: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Pictures of a concept that is steered, with (caption, seed, setting)."""
    texts = captions(rng, labels)
    counts = {
        **{name: (how, maps) for name, how in MAPS.items()},
        **{name: (SETTINGS[name], blocks) for name in BLOCKS},
    }
    for name, (how, count) in counts.items():
        with how(kit):
            made = generated(texts, count, name, rng)
        yield from made


def unsteered(count: int, rng: np.random.Generator) -> Iterator[tuple]:
    """As `drawn`, of nothing steered, two thirds of them sampled as usual."""
    texts = captions(rng)
    for name, options in UNSTEERED.items():
        yield from generated(texts, count // 6 if options else 2 * count // 3, "unsteered" + name, rng, **options)


def by_peers(kit: Kit, each: int, work: Path) -> Iterator[tuple]:
    """As `drawn`, by the other methods that pages compare, their settings by turns, twice as many by the best."""
    rng = np.random.default_rng([SEED, *kit.subject.name.encode()])
    learned = Learned(MODEL, kit.subject, kit.vectors, work / kit.subject.name)
    texts = captions(rng, kit.subject.concept.judge)
    for method in (one for one in METHODS[1:] if not one.ours and one.name != SLOW):
        count = each * (2 if method.name in LOOKED_AT else 1)
        for setting in islice(cycle(method.settings), count):
            text, seed = next(texts), int(rng.integers(SEED, 2**31))
            with torch.no_grad(), method.apply(learned, method.settings[setting]):
                latents = draw(MODEL, [text], [seed], PLAIN, family_named("pocket").guidance)
            yield as_pictures(MODEL, latents)[0], (text, seed, f"{method.name} {setting}".strip())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path, help="folder of captures and of sheets to look at")
    parser.add_argument("--unsteered", type=int, default=300)
    parser.add_argument("--maps", type=int, default=40, help="pictures of each concept under each map of the text")
    parser.add_argument("--blocks", type=int, default=4, help="and under every other setting")
    parser.add_argument("--peers", type=int, default=5, help="and by every other method, in a table of their own")
    options = parser.parse_args()
    rng = np.random.default_rng(SEED)
    made, peers = list(unsteered(options.unsteered, rng)), []
    for kit in kits(options.work):
        made += drawn(kit, kit.subject.concept.judge, options.maps, options.blocks, rng)
        peers += by_peers(kit, options.peers, options.work)
    for name, some, order in (("ours", made, rng), ("peers", peers, np.random.default_rng(SEED))):
        mixed = [some[i] for i in order.permutation(len(some))]
        pictures, rows = [picture for picture, _ in mixed], [row for _, row in mixed]
        keep(FOLDER, name, pictures, ("prompt", "seed", "setting"), rows, ("broken",))
        sheets(options.work, name, pictures, [row[0] for row in rows])


if __name__ == "__main__":
    main()
