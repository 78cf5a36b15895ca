"""What more workers gain: ``uv run python benchmarks/workers.py [--workers 1 2]``.

The same pictures are drawn by this process alone and by workers of a Ray that is started here, each on one thread, and
written; workers are timed once they have loaded the model, and how long that takes is said apart. Then the time of the
whole study on Stable Diffusion 1.5 with more GPUs than are here, computed from these figures: units are dealt out
evenly, and the process that writes does so for one picture after the other, however many draw.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from steering import load_model
from steering.concepts.prompts import load_prompts
from steering.evaluate.measures import Measures, metrics_of
from steering.models.sampling import silent
from steering.study.cluster import Setup, ray_pool
from steering.study.plan import FULL, Arm, planned
from steering.study.pool import ALONE, Bench
from steering.study.renderer import Renderer, items_of
from steering.study.table import Table

SIZES = (1, 8, 64)
"""GPUs whose time is computed."""
LARGER = (512 / 128) ** 2
"""Pixels of a picture of Stable Diffusion 1.5 over those of one that is drawn here."""


class Timed:
    """A renderer, and how long this process was at work on what came back."""

    def __init__(self, renderer: Renderer) -> None:
        self.renderer, self.seconds = renderer, 0.0

    def keep(self, key: str, drawn: object) -> None:
        begun = time.perf_counter()
        self.renderer.keep(key, drawn)
        self.seconds += time.perf_counter() - begun


def drawn_by(pool: object, bench: Bench, pictures: int, batch: int, steps: int) -> tuple[float, float]:
    """Seconds that pictures took, and those of them that this process spent writing."""
    plan = replace(FULL, steps=steps, batch=batch)
    with tempfile.TemporaryDirectory() as folder:
        renderer = Renderer(bench.model, plan, Path(folder))
        prompts, counts = load_prompts("dog", "test"), (pictures, 0, 0)
        items = items_of("dog/test", prompts, counts, counts, [0])
        units = renderer.units(Arm("original", "original", counts), items, None)
        timed, begun = Timed(renderer), time.perf_counter()
        pool.do(bench, {u.key: lambda u=u: renderer.task(u) for u in units}, timed.keep, silent)
        return time.perf_counter() - begun, timed.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3, help="of each, by turns; the fastest counts")
    parser.add_argument("--seconds", type=float, default=1.0, help="a picture of Stable Diffusion 1.5 on one GPU")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(load_model("pocket", "cpu"), metrics_of(Measures(), "pocket", [], Path(), "cpu"))
    setup = Setup.of("pocket", {"device": "cpu"}, Measures(), [], bench)
    sizes = options.pictures, options.batch, options.steps
    took: dict[int, list[tuple[float, float]]] = {count: [] for count in (0, *options.workers)}
    loading = {}
    for _ in range(options.runs):
        took[0].append(drawn_by(ALONE, bench, *sizes))
        for count in options.workers:
            begun = time.perf_counter()
            with ray_pool(setup, count) as pool:
                drawn_by(pool, bench, count, 1, 1)  # until all have loaded the model
                loading[count] = min(time.perf_counter() - begun, loading.get(count, 1e9))
                took[count].append(drawn_by(pool, bench, *sizes))
    best = {count: min(times) for count, times in took.items()}
    one = best[min(options.workers)][0]
    rows = [
        (
            str(count or "alone"),
            f"{options.pictures / seconds:.2f}",
            f"{100 * one / seconds / max(count, 1):.0f}",
            f"{1000 * writing / options.pictures:.1f}",
            f"{loading.get(count, 0):.0f}",
        )
        for count, (seconds, writing) in best.items()
    ]
    head = ("workers", "pictures a second", "efficiency, % of one worker's", "writing, ms a picture", "start, s")
    print(Table("Pictures drawn by workers of one thread", head, tuple(rows), "").markdown())
    writing = LARGER * best[max(best)][1] / options.pictures
    pictures = planned(FULL, 4, 0, 7.5)[0]
    rows = [
        (
            str(count),
            f"{max(pictures * options.seconds / count, pictures * writing) / 3600:.1f}",
            f"{pictures * writing / 3600:.1f}",
        )
        for count in SIZES
    ]
    head = ("GPUs", "hours", "of them at least, for writing")
    about = f"{pictures:,} pictures at {options.seconds:g} s on one GPU, {1000 * writing:.0f} ms each to write"
    print(Table("The study on Stable Diffusion 1.5, computed", head, tuple(rows), about).markdown())


if __name__ == "__main__":
    main()
