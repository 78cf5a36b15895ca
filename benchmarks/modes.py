"""What the modes do on the embedded model's test prompts: ``uv run python benchmarks/modes.py [--prompts 100]``.

Adds a style and an object to prompts without them, replaces dogs with cats, suppresses two concepts at once, and
holds a LoRA against the steering that it stands for. Vectors are those that come with the pack; Markdown tables,
means over prompts with 95 % intervals. ``--picture docs/modes.png`` draws test prompts in each mode instead.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import steering
from steering.concepts.pairs import parse_pairs, spread
from steering.concepts.prompts import Prompt, load_prompts, take
from steering.concepts.request import Request
from steering.concepts.writing import write_set
from steering.evaluate.statistics import estimate, share, upper_bound
from steering.interventions.entry import Entry, make_entry
from steering.interventions.steer import steer
from steering.lora.bake import Delta, bake, linear_layers, merged
from steering.plots.pictures import labelled_grid, save_picture
from steering.pocket.judge import Verdict, judge
from steering.study.removal import THERE
from steering.study.table import interval

VECTORS = Path(__file__).parent.parent / "vectors"
MODEL = steering.load_model("pocket")


def vector(name: str) -> steering.SteeringVector:
    return steering.SteeringVector.load(VECTORS / f"pocket_{name}.safetensors")


def draw(prompts: Sequence[Prompt], inside: AbstractContextManager | None = None) -> Verdict:
    """What the judge sees in the pictures of prompts, all from the same seeds."""
    with inside or nullcontext():
        return judge(MODEL.generate([prompt.text for prompt in prompts], batch=20))


def steered(*entries: Entry) -> AbstractContextManager:
    return steer(MODEL, list(entries))


def shown(verdict: Verdict, prompts: Sequence[Prompt], *besides: str) -> np.ndarray:
    """Presence of what each prompt asks for ``[N]``, without some labels; NaN where nothing else is asked for."""
    values = np.full(len(prompts), np.nan)
    for i, prompt in enumerate(prompts):
        labels = tuple(label for label in prompt.shows if label not in besides)
        if labels:
            values[i] = verdict.kept(labels)[i]
    return values


def loss(before: np.ndarray, after: np.ndarray) -> str:
    lost = (before - after)[~np.isnan(before)]
    return f"{lost.mean():.1f} (≤ {upper_bound(lost):.1f})"


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n**{title}**\n\n| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def presence(verdict: Verdict, label: str) -> str:
    return str(estimate(verdict.presence((label,))))


def as_asked(verdict: Verdict, prompts: Sequence[Prompt], there: Sequence[str] = (), gone: Sequence[str] = ()) -> str:
    """Percent of pictures that show what is to be there, nothing of what is to go, no debris, and the prompt's rest."""
    rest = np.nan_to_num(shown(verdict, prompts, *gone), nan=100.0)
    right = (verdict.debris < THERE) & (rest >= THERE)
    for label in there:
        right &= verdict.presence((label,)) >= THERE
    for label in gone:
        right &= verdict.presence((label,)) < THERE
    return interval(share(right))


def adding(some: Callable[[str, str], list[Prompt]]) -> None:
    plain = [p for p in some("van_gogh", "unrelated") if not {"van_gogh", "sketch"} & set(p.shows)]
    animals = some("dog", "sibling")
    for title, label, prompts, name, strengths in (
        ("Add the style of Van Gogh to plain prompts", "van_gogh", plain, "van_gogh_lora", (0.5, 1, 2)),
        ("Add a dog to prompts for a cat, frog or fish", "dog", animals, "dog_attn2", (1, 3, 5)),
    ):
        before = draw(prompts)
        kept = shown(before, prompts)
        rows = [["0", presence(before, label), "", ""]]
        for strength in strengths:
            after = draw(prompts, steered(make_entry(vector(name), strength=strength, preset="projection", mode="add")))
            lost = loss(kept, shown(after, prompts))
            rows.append([f"{strength:g}", presence(after, label), lost, as_asked(after, prompts, there=[label])])
        heads = ("strength", "presence", "what the prompt asks for loses", "as asked, %")
        table(f"{title} (n = {len(prompts)})", heads, rows)


def replacing(some: Callable[[str, str], list[Prompt]]) -> None:
    # A cat that the prompt asks for anyway would count as a replaced dog.
    prompts = [p for p in some("dog", "target") if "cat" not in p.shows]
    dog, cat = vector("dog_attn2"), vector("cat_attn2")
    ways = {
        "original": None,
        "the prompt with a cat, unsteered": None,
        "a map of the text, from pairs that say cat": steered(make_entry(becoming("dog", "cat"))),
        "suppress dog, lora 1": steered(dog.entry(strength=1, preset="lora")),
        "replace at the dog's eight best sites": steered(
            make_entry(vector("dog_lora"), strength=1, preset="precise", mode="replace", target=cat)
        ),
        "replace, precise 1": steered(dog.entry(strength=1, preset="precise", mode="replace", target=cat)),
        "replace, lora 1": steered(dog.entry(strength=1, preset="lora", mode="replace", target=cat)),
    }
    rows, rest = [], None
    asked = [replace(prompt, text=re.sub(r"\bdog\b", "cat", prompt.text)) for prompt in prompts]
    for name, inside in ways.items():
        verdict = draw(asked if "unsteered" in name else prompts, inside)
        others = shown(verdict, prompts, "dog")
        rest = others if rest is None else rest
        right = as_asked(verdict, prompts, there=[] if "suppress" in name else ["cat"], gone=["dog"])
        rows.append([name, presence(verdict, "dog"), presence(verdict, "cat"), loss(rest, others), right])
    heads = ("", "dog", "cat", "the rest of the prompt loses", "as asked, %")
    table(f"Replace a dog with a cat (n = {len(prompts)})", heads, rows)


def becoming(word: str, other: str) -> steering.SteeringVector:
    """The local map of the text that takes a concept to another, from pairs that are written for it."""
    pairs = parse_pairs(write_set(Request(word, becomes=other), "pocket").files["fit.csv"])
    return steering.build(steering.capture(MODEL, pairs, sites="text"), direction="kernel", time="constant")


def together(some: Callable[[str, str], list[Prompt]]) -> None:
    dog, style = make_entry(vector("dog")), make_entry(vector("van_gogh"))
    ways = {"dog": [dog], "Van Gogh": [style], "both": [dog, style]}
    targets, painted = some("dog", "target"), some("van_gogh", "target")
    # Prompts for neither: a dog or a painted picture would be lost on purpose.
    kept = [p for p in some("dog", "unrelated") + some("dog", "sibling") if "van_gogh" not in p.shows]
    before = shown(draw(kept), kept)
    rows = [["nothing", presence(draw(targets), "dog"), "", presence(draw(painted), "van_gogh"), "", ""]]
    losses = {}
    for name, entries in ways.items():
        after = shown(draw(kept, steered(*entries)), kept)
        losses[name] = before - after
        seen = draw(targets, steered(*entries)), draw(painted, steered(*entries))
        clean = [
            as_asked(one, prompts, gone=[label])
            for one, prompts, label in zip(seen, (targets, painted), ("dog", "van_gogh"), strict=True)
        ]
        cells = [presence(seen[0], "dog"), clean[0], presence(seen[1], "van_gogh"), clean[1]]
        rows.append([name, *cells, loss(before, after)])
    counts = f"n = {len(targets)}, {len(painted)}, {len(kept)}"
    heads = ("suppressed", "dog", "clean of it, %", "Van Gogh", "clean of it, %", "prompts for neither lose")
    table(f"Two suppressions at once ({counts})", heads, rows)
    excess = losses["both"] - losses["dog"] - losses["Van Gogh"]
    print(f"\nboth lose {estimate(excess)} points more than the sum of each alone (bound {upper_bound(excess):.1f})")


def as_lora(some: Callable[[str, str], list[Prompt]]) -> None:
    made = vector("van_gogh_lora")
    entry = made.entry()
    deltas = bake(entry, linear_layers(MODEL.unet, list(made.sites)))
    unbiased = {site: Delta(d.up, d.down, torch.zeros_like(d.bias)) for site, d in deltas.items()}
    ways = {
        "original": lambda: nullcontext(),
        "steered while sampling": lambda: steered(entry),
        "LoRA": lambda: merged(MODEL.unet, deltas),
        "LoRA without its bias (A1111)": lambda: merged(MODEL.unet, unbiased),
    }
    roles = {role: some("van_gogh", role) for role in ("target", "sibling", "unrelated")}
    rows, before = [], {}
    for name, inside in ways.items():
        verdicts = {role: draw(prompts, inside()) for role, prompts in roles.items()}
        target = verdicts["target"]
        cells = [name, presence(target, "van_gogh"), as_asked(target, roles["target"], gone=["van_gogh"])]
        for role in ("sibling", "unrelated"):
            kept = shown(verdicts[role], roles[role])
            cells.append(loss(before.setdefault(role, kept), kept))
        rows.append(cells)
    n = ", ".join(str(len(prompts)) for prompts in roles.values())
    heads = ("", "Van Gogh", "clean, %", "siblings lose", "unrelated lose")
    table(f"The style suppressed by a LoRA (n = {n})", heads, rows)


def picture(some: Callable[[str, str], list[Prompt]], path: Path) -> None:
    """Target prompts spread over the test set, not picked, in every mode; rows are prompts, columns modes."""
    prompts = [p for p in some("dog", "target") if "cat" not in p.shows]
    texts = [prompt.text for prompt in spread(prompts, 4)]
    dog, cat, style = vector("dog_attn2"), vector("cat_attn2"), vector("van_gogh_lora")
    replaced = dog.entry(strength=1, preset="lora", mode="replace", target=cat)
    added = style.entry(strength=1, preset="projection", mode="add")
    columns = {
        "original": [],
        "suppress dog": [make_entry(vector("dog"))],
        "dog to cat": [make_entry(becoming("dog", "cat"))],
        "dog to cat, inside": [replaced],
        "add Van Gogh": [added],
        "both": [replaced, added],
    }
    images = []
    for entries in columns.values():
        with steered(*entries):
            images.append(MODEL.generate(texts))
    rows = [image for row in zip(*images, strict=True) for image in row]
    save_picture(labelled_grid(rows, list(columns) * len(texts), len(columns)), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=int, default=100, help="test prompts of each role at most")
    parser.add_argument("--only", choices=("add", "replace", "both", "lora"))
    parser.add_argument("--picture", type=Path, help="PNG to draw instead")
    options = parser.parse_args()

    def some(concept: str, role: str) -> list[Prompt]:
        return take(load_prompts(concept, "test"), role, options.prompts)

    if options.picture:
        return picture(some, options.picture)
    for name, part in {"add": adding, "replace": replacing, "both": together, "lora": as_lora}.items():
        if options.only in (None, name):
            part(some)


if __name__ == "__main__":
    main()
