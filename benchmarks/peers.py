"""Other ways to take a concept out, on the same prompts and seeds: ``uv run python benchmarks/peers.py WORK``.

Every method (`peer_methods/table.py`) is tried with at most four settings on dev prompts; one is taken by the rule of
studies and tuning (`steering.study.choice`), and reported on test prompts and under attacks. WORK keeps pictures and
trained weights, so that an interrupted run goes on. Prints tables in Markdown and writes one picture a concept.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from peer_methods.adaptive import renamed
from peer_methods.attacks import ATTACKS, PLAIN, Attack, Drawing, as_pictures, draw, draw_over, found, rewritten
from peer_methods.learned import Learned, Method
from peer_methods.table import METHODS, ORIGINAL

from steering import load_model
from steering.concepts.prompts import ROLES, evaluated
from steering.evaluate.clip_score import PocketClip
from steering.evaluate.metrics import Batch, ClipScore, PixelChange, PocketJudge, judged
from steering.evaluate.statistics import upper_bound
from steering.families import family_named
from steering.files import replacing
from steering.plots.pictures import gallery
from steering.study.choice import Outcome, choose
from steering.study.figures import matched, removal_figures
from steering.study.measurements import Measurements, lost, presence
from steering.study.outcome import outcome_of
from steering.study.plan import Counts, Plan
from steering.study.renderer import Item, items_of
from steering.study.results import Prepared
from steering.study.run import Study
from steering.study.setting import Setting
from steering.study.subject import load_subject
from steering.study.table import Table, interval
from steering.work_files import digest

DEV_STEPS = 15
PACE, PACED = Drawing(6), 3
"""How pictures are timed, and how often."""
SHOWN = 8
"""Pictures of every method in the grid, the first of the test targets, not picked."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Latents of prompts, kept in a folder under a hash of what makes them, but for the methods' own code."""

    learned: Learned
    folder: Path
    guidance: float

    def pace(self, method: Method, setting: str, items: list[Item]) -> float:
        """Processor time of a picture, the original's being 1: the least of a few runs of each, by turns."""
        texts, seeds = [item.prompt.text for item in items], [item.seed for item in items]
        took: dict[Method, list[float]] = {method: [], ORIGINAL: []}
        for _ in range(PACED):
            for one, name in ((method, setting), (ORIGINAL, "")):
                with torch.no_grad(), one.apply(self.learned, one.settings[name]):
                    begun = time.process_time()
                    draw(self.learned.model, texts, seeds, PACE, self.guidance)
                    took[one].append(time.process_time() - begun)
        return min(took[method]) / min(took[ORIGINAL])

    def latents(
        self, method: Method, setting: str, items: list[Item], how: Drawing, rest: bool = False
    ) -> torch.Tensor:
        """Latents ``[N, c, h, w]`` of prompts under a method; drawn over the original ones where ``how`` says so."""
        texts, seeds = [item.prompt.rest if rest else item.prompt.text for item in items], [item.seed for item in items]
        path = self._path(method, setting, texts, seeds, repr(how))
        if not path.is_file():
            below = self.latents(ORIGINAL, "", items, PLAIN) if how.over < 1 else None
            model = self.learned.model
            with torch.no_grad(), method.apply(self.learned, method.settings[setting]):
                if below is None:
                    made = draw(model, texts, seeds, how, self.guidance)
                else:
                    made = draw_over(model, below, texts, seeds, how, self.guidance)
            _keep(path, made)
        return _read(path)

    def against(self, method: Method, setting: str, items: list[Item], adaptive: str) -> torch.Tensor:
        """Latents of prompts with what an adaptive attack puts in the concept's place."""
        texts, seeds = [item.prompt.text for item in items], [item.seed for item in items]
        path = self._path(method, setting, texts, seeds, repr(PLAIN), adaptive)
        learned, pictures = self.learned, self.learned.pictures  # before the model is changed
        if not path.is_file():
            with (
                torch.no_grad(),
                method.apply(learned, method.settings[setting]),
                found(learned, adaptive, pictures, self.guidance) as phrase,
            ):
                attacked = [renamed(learned, text, phrase) for text in texts]
                _keep(path, draw(learned.model, attacked, seeds, PLAIN, self.guidance))
        return _read(path)

    def _path(self, method: Method, setting: str, texts: list[str], seeds: list[int], *how: str) -> Path:
        one = self.learned
        about = [one.model.digest(), one.names, one.anchor, one.positives, one.without, one.kept, method.name, setting]
        return self.folder / f"{digest(about, repr(method.settings[setting]), texts, seeds, *how)}.npz"

    def measured(
        self, method: Method, setting: str, items: list[Item], how: Drawing, metrics: list, rest: bool = False
    ) -> Measurements:
        """The measurements of pictures, role by role."""
        columns: dict[str, list[np.ndarray]] = {}
        for _, group in groupby(items, lambda item: item.prompt.role):
            some = list(group)
            images = as_pictures(self.learned.model, self.latents(method, setting, some, how, rest))
            before = as_pictures(self.learned.model, self.latents(ORIGINAL, "", some, replace(how, over=1.0)))
            batch = Batch(images, before, [item.prompt for item in some], self.learned.concept)
            for metric in metrics:
                for name, values in metric.measure(batch).items():
                    columns.setdefault(name, []).append(np.asarray(values))
        whole = {name: np.concatenate(values) for name, values in columns.items()}
        return Measurements(
            tuple(items),
            (self.folder,) * len(items),
            ("",) * len(items),
            {name: values for name, values in whole.items() if values.ndim == 1},
            {name: values for name, values in whole.items() if values.ndim == 2},
        )


def _keep(path: Path, latents: torch.Tensor) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, latents=latents.numpy())


def _read(path: Path) -> torch.Tensor:
    with np.load(path) as stored:
        return torch.from_numpy(stored["latents"])


class Sides(NamedTuple):
    """The measurements of a method's pictures, of the originals, and of the targets' prompts without the concept."""

    made: Measurements
    before: Measurements
    without: Measurements

    def outcome(self, name: str) -> Outcome:
        """What a setting of a name is chosen by."""
        return outcome_of(Setting(name, "projection", 0.0), *self)


class Comparison:
    """All methods on one concept."""

    @classmethod
    def of(cls, study: Study, prepared: Prepared, dev: Sequence[int], test: Sequence[int]) -> "Comparison":
        """The comparison in a study's folder, with so many dev and test prompts of each role."""
        folder = study.out / prepared.subject.name
        (folder / "pictures").mkdir(exist_ok=True)
        learned = Learned(study.model, prepared.subject, prepared.vectors, folder)
        (a, b, c), (d, e, f) = dev, test
        return cls(learned, folder, (a, b, c), (d, e, f))

    def __init__(self, learned: Learned, folder: Path, dev: Counts, test: Counts) -> None:
        self.learned, self.dev, self.test = learned, dev, test
        guidance = family_named(learned.model.family).guidance
        self.pictures = Pictures(learned, folder / "pictures", guidance)
        self.metrics = [PocketJudge(), ClipScore(PocketClip()), PixelChange()]

    def items(self, split: str, counts: Counts) -> list[Item]:
        """Prompts of a split with their seeds."""
        place = f"{self.learned.subject.name}/{split}"
        return items_of(place, self.learned.subject.prompts[split], counts, counts, (0,))

    def sides(self, method: Method, setting: str, split: str, counts: Counts, how: Drawing) -> Sides:
        """What a method's pictures measure."""
        return Sides(
            self.pictures.measured(method, setting, self.items(split, counts), how, self.metrics),
            *self._unsteered(split, counts, how),
        )

    @cache  # noqa: B019  one comparison a concept, which lives as long as it is used
    def _unsteered(self, split: str, counts: Counts, how: Drawing) -> tuple[Measurements, Measurements]:
        items = self.items(split, counts)
        targets = [item for item in items if item.prompt.role == "target"]
        before = self.pictures.measured(ORIGINAL, "", items, how, self.metrics)
        return before, self.pictures.measured(ORIGINAL, "", targets, how, self.metrics, rest=True)

    def chosen(self, method: Method) -> str:
        """The setting that dev prompts choose, by the rule of studies and tuning."""
        if len(method.settings) == 1:
            return next(iter(method.settings))
        how = Drawing(DEV_STEPS)
        taken = choose([self.sides(method, name, "dev", self.dev, how).outcome(name) for name in method.settings])
        return str(taken.setting.vector)

    def row(self, method: Method, setting: str) -> tuple[list[str], tuple[float, float]]:
        """A row of the table on test prompts, and the place in the plane of clean removal and retention."""
        made, before, without = self.sides(method, setting, "test", self.test, PLAIN)
        parts = removal_figures(*matched(made, before, "target"), without)
        losses = {role: lost(*matched(made, before, role)) for role in ROLES[1:]}
        cells = [f"{part.mean():.1f} (≤ {upper_bound(part):.1f})" for part in losses.values()]
        others = matched(made, before, "unrelated")
        gained = (presence(others[0]) - presence(others[1])).mean()
        shown = [interval(part) for part in (parts.clean, parts.presence, parts.debris, parts.kept)]
        assert parts.clean is not None and parts.distance is not None
        kept = 100 - sum(max(float(part.mean()), 0.0) for part in losses.values())
        pace = self.pictures.pace(method, setting, self.items("test", (5, 0, 0)))
        cells = [*shown, f"{100 * parts.distance:.0f}", *cells, f"{gained:.1f}", f"{pace:.2f}"]
        return cells, (parts.clean.mean, max(kept, 0.0))

    def attacked(self, method: Method, setting: str, count: int, rest: bool = False) -> list[str]:
        """Presence of the concept under every attack; ``rest``: where the prompts do not ask for it."""
        targets = self.items("test", (count, 0, 0))
        return [self._under(attack, method, setting, targets, rest) for attack in ATTACKS]

    def _under(self, attack: Attack, method: Method, setting: str, targets: list[Item], rest: bool) -> str:
        if attack.adaptive and rest:
            return ""  # a word for the concept is what these attack with
        if attack.adaptive:
            return self._presence(self.pictures.against(method, setting, targets, attack.adaptive), targets)
        some = [replace(item, prompt=rewritten(self.learned, item.prompt, attack.words)) for item in targets]
        if attack.words:  # those prompts that it cannot be made of stay out
            some = [one for one, item in zip(some, targets, strict=True) if one.prompt.text != item.prompt.text]
        return self._presence(self.pictures.latents(method, setting, some, attack.how, rest), some) if some else ""

    def _presence(self, latents: torch.Tensor, items: list[Item]) -> str:
        images = as_pictures(self.learned.model, latents)
        there = judged(images, [item.prompt for item in items], self.learned.concept)["presence"]
        return f"{there.mean():.1f}"

    def grid(self, chosen: dict[Method, str], path: Path) -> None:
        """The same prompts under every method."""
        targets = [item for item in self.items("test", self.test) if item.prompt.role == "target"]
        columns, model = [], self.learned.model
        for method, setting in chosen.items():
            latents = self.pictures.latents(method, setting, targets, PLAIN)
            columns.append((method.name, as_pictures(model, latents[:SHOWN])))
        without = self.pictures.latents(ORIGINAL, "", targets, PLAIN, rest=True)
        columns.insert(1, ("prompt without it", as_pictures(model, without[:SHOWN])))
        gallery(columns, path, [item.prompt.text for item in targets[:SHOWN]])


def hypervolume(places: list[tuple[float, float]]) -> float:
    """Share of the square of clean removal and retention, 0 to 100 each, that some places dominate."""
    area, best = 0.0, 0.0
    for clean, kept in sorted(places, key=lambda place: -place[0]):
        area += clean * max(kept - best, 0.0)
        best = max(best, kept)
    return area / 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--concepts", nargs="+", default=evaluated("pocket"))
    parser.add_argument("--dev", type=int, nargs=3, default=(12, 8, 8), help="dev prompts of each role")
    parser.add_argument("--test", type=int, nargs=3, default=(50, 25, 25), help="test prompts of each role")
    parser.add_argument("--attacked", type=int, default=20, help="test targets under each attack")
    parser.add_argument("--without", nargs="*", default=[], help="methods that are left out")
    options = parser.parse_args()
    methods = [method for method in METHODS if method is ORIGINAL or method.name not in options.without]
    study = Study(load_model("pocket"), Plan(), options.work, [PocketJudge()])
    for prepared in study.prepare([load_subject(name, "pocket", Plan()) for name in options.concepts]):
        name = prepared.subject.name
        compared = Comparison.of(study, prepared, options.dev, options.test)
        rows, attacks, places, chosen = [], [], {}, {}
        for method in methods:
            chosen[method] = setting = compared.chosen(method)
            cells, places[method] = compared.row(method, setting)
            rows.append((method.name, setting, *cells))
            print(" | ".join(rows[-1]), flush=True)
            if options.attacked:
                attacks.append((method.name, *compared.attacked(method, setting, options.attacked)))
        head = ("method", "setting", "clean, %", "presence", "debris", "kept", "counterfactual")
        head = (*head, "siblings lose", "unrelated lose", "unrelated gain it", "time")
        print(
            Table(
                f"{name}, test prompts",
                head,
                tuple(rows),
                "Counterfactual: mean over both spaces. Time: of the processor, a picture, the original's being 1.",
            ).markdown()
        )
        if attacks:
            attacks.insert(1, ("prompt without it", *compared.attacked(ORIGINAL, "", options.attacked, rest=True)))
            head = ("method", *(attack.name for attack in ATTACKS))
            print(Table(f"{name}, presence left", head, tuple(attacks), "").markdown())
        ours = [place for method, place in places.items() if method.ours]
        peers = [place for method, place in places.items() if not method.ours and method is not ORIGINAL]
        print(
            f"{name}: hypervolume {hypervolume(ours):.3f} of ours, {hypervolume(peers):.3f} of all others\n", flush=True
        )
        compared.grid(chosen, options.work / f"peers_{name}.png")


if __name__ == "__main__":
    main()
