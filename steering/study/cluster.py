"""Units of work on several processes and machines, by Ray: every worker loads the model once.

Results come back through Ray's object store and this process alone writes, so workers need the package and the weights
and no folder in common. A unit whose worker or machine dies goes to another, and a worker is started in its place as
soon as there is room for one.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from platform import node
from typing import Any

import torch

from ..errors import SteeringError
from ..evaluate.judge import Judge
from ..evaluate.measures import Measures, metrics_of
from ..models.loading import load_model
from ..models.sampling import Progress, silent
from ..version import __version__
from .pool import Bench, Keep, Task, Tasks

MOST_DEATHS = 3
"""Workers that a unit may take with it before it is given up."""
TELL_AFTER = 60.0
"""Seconds without any worker after which that is said."""


@dataclass(frozen=True)
class Setup:
    """What every worker loads.

    Attributes:
        model: a name for `load_model`.
        how: further arguments for `load_model`; of the GPUs, a worker sees the one it was given.
        digest: the hash that the model must have there as here.
        measures: what is measured.
        concepts: names of the concepts, which decide what is measured where nothing is said.
        identities: what every metric must say of itself there as here, by its name.
        version: of this package, there as here.
    """

    model: str
    how: Mapping[str, Any]
    digest: str
    measures: Measures
    concepts: tuple[str, ...]
    identities: Mapping[str, Any]
    version: str = __version__

    @classmethod
    def of(
        cls, source: str, how: Mapping[str, Any], measures: Measures, concepts: Sequence[str], bench: Bench
    ) -> Setup:
        """What workers need to do what ``bench`` does, which was loaded from ``source`` and measures ``measures``."""
        paths = {name: _absolute(value) for name, value in vars(measures).items() if name != "judge"}
        # The judge that is asked keeps its answers in the study's folder, so it stays with the study.
        named = {metric.name: metric.identity() for metric in bench.metrics if not isinstance(metric, Judge)}
        digest = bench.model.digest()
        return cls(str(_absolute(source)), how, digest, Measures(**paths), tuple(concepts), named)


def _absolute(value: Any) -> Any:
    """A file or folder by its whole path, whatever else as it is: a worker stands in a folder of its own."""
    there = isinstance(value, str | Path) and value != "pocket" and Path(value).exists()
    return type(value)(Path(value).resolve()) if there else value


class Worker:
    """A process that does units of work; an actor of Ray."""

    def __init__(self, setup: Setup, threads: int) -> None:
        self.setup, self.threads = setup, threads
        self.bench: Bench | None = None

    def ready(self) -> None:
        """Load everything, once. Not in the constructor, whose errors Ray tells in its own words."""
        if self.bench:
            return
        torch.set_num_threads(self.threads)
        setup = self.setup
        if setup.version != __version__:
            raise SteeringError(
                f"{node()} has version {__version__} of this package, not {setup.version}; install that"
            )
        model = load_model(setup.model, **setup.how)
        metrics = metrics_of(setup.measures, model.family, setup.concepts, Path(), str(model.device))
        other = [metric.name for metric in metrics if metric.identity() != setup.identities.get(metric.name)]
        other += [setup.model] if model.digest() != setup.digest else []
        if other:
            raise SteeringError(f"{', '.join(other)} has other weights on {node()}; copy the same there")
        self.bench = Bench(model, metrics)

    def do(self, task: Task) -> Any:
        """A unit's result."""
        if self.bench is None:
            raise TypeError("a worker does nothing before it is ready")
        return task.do(self.bench, silent)


@dataclass(eq=False)
class RayPool:
    """Workers on a running Ray; see `steering.study.pool.Pool`.

    Attributes:
        setup: what they load.
        size: how many there are to be.
    """

    setup: Setup
    size: int
    _workers: list[Any] = field(default_factory=list, init=False)

    def do(self, bench: Bench, tasks: Tasks, keep: Keep, progress: Progress) -> None:
        """See `Pool`; ``bench`` plays no part."""
        if tasks:
            _Round(self, tasks, keep, progress).finish()

    def hire(self) -> Any:
        """A new worker, which Ray starts as soon as there is room."""
        import ray

        most = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = int(any(node.get("GPU") for node in most))
        cores = sum(node.get("CPU", 0) for node in most) / self.size
        threads = 1 if gpus else max(1, int(min(cores, max(node.get("CPU", 0) for node in most))))
        worker = ray.remote(Worker).options(num_cpus=threads, num_gpus=gpus).remote(self.setup, threads)
        self._workers.append(worker)
        return worker

    def staff(self) -> list[Any]:
        """All workers, at least as many as there are to be."""
        while len(self._workers) < self.size:
            self.hire()
        return list(self._workers)

    def dismiss(self, worker: Any) -> None:
        """Forget a worker that died."""
        self._workers.remove(worker)

    def close(self) -> None:
        """End all workers, at work or not."""
        import ray

        while self._workers:
            ray.kill(self._workers.pop())


class _Round:
    """Some units, and where each of them is."""

    def __init__(self, pool: RayPool, tasks: Tasks, keep: Keep, progress: Progress) -> None:
        self.pool, self.tasks, self.keep, self.progress = pool, tasks, keep, progress
        self.waiting = deque(tasks)
        self.deaths: Counter[str] = Counter()
        self.busy: dict[Any, tuple[Any, str, int]] = {}  # what is awaited -> worker, unit, rows
        self.idle: list[Any] = []
        # Whoever died since the last round is found before it is given a unit.
        self.starting = {worker.ready.remote(): worker for worker in pool.staff()}

    def finish(self) -> None:
        """Have all units done."""
        import ray

        while self.waiting or self.busy:
            # A unit that comes back from a worker that died may find others idle, and no room for a new one.
            while self.waiting and self.idle:
                self._give(self.idle.pop())
            done, _ = ray.wait([*self.busy, *self.starting], timeout=TELL_AFTER)
            if not done and not self.busy:
                warnings.warn(
                    f"no worker has come for {TELL_AFTER:g} seconds; Ray has no room, or is starting", stacklevel=2
                )
            for reference in done:
                worker, name, rows = self.busy.pop(reference, None) or (self.starting.pop(reference), "", 0)
                if self._received(reference, worker, name, rows):
                    self.idle.append(worker)

    def _received(self, reference: Any, worker: Any, name: str, rows: int) -> bool:
        """Keep a result; False where the worker died, whose unit goes back and whose place is filled."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            result = ray.get(reference)
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, Exception) else error from None
        except RayError as error:
            self._died(worker, name, str(error))
            return False
        if name:
            self.keep(name, result)
            self.progress(rows)
        return True

    def _give(self, worker: Any) -> None:
        name = self.waiting.popleft()
        task = self.tasks[name]()
        self.busy[worker.do.remote(task)] = worker, name, task.rows

    def _died(self, worker: Any, name: str, words: str) -> None:
        self.deaths[name] += 1
        if self.deaths[name] >= MOST_DEATHS * (1 if name else self.pool.size):
            raise SteeringError(
                f"{name or 'the start'} took {self.deaths[name]} workers with it: is this package on every machine, "
                f"and memory enough? Ray says: {' '.join(words.split())[:300]}"
            )
        if name:
            self.waiting.append(name)
        self.pool.dismiss(worker)
        fresh = self.pool.hire()
        self.starting[fresh.ready.remote()] = fresh


@contextmanager
def ray_pool(setup: Setup, workers: int | None = None, address: str | None = None) -> Iterator[RayPool]:
    """Workers of a Ray that is started here, or of one that runs; all of them are gone afterwards.

    Args:
        setup: what they load.
        workers: how many; as many as there are GPUs, or cores where there is none, if not given.
        address: of a running Ray, ``auto`` or ``HOST:PORT``; None starts one on this machine.

    Raises:
        SteeringError: Ray is not installed, or not to be reached.
    """
    # Usage statistics are for whoever runs a cluster to allow, not for us; and Ray's workers step back behind every
    # other process of the machine unless told, where ours are the command's own work.
    for name, value in (("RAY_USAGE_STATS_ENABLED", "0"), ("RAY_worker_niceness", "0")):
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise SteeringError(
            "several workers need Ray, which is not installed; install it with pip install ray"
        ) from None
    how: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        how |= {"include_dashboard": False, "num_cpus": max(workers or 1, os.cpu_count() or 1)}
    try:
        ray.init(address, **how)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise SteeringError(
            f"--ray {address} is not to be reached ({error}); start one with 'ray start --head', or leave it out"
        ) from None
    found = ray.cluster_resources()
    pool = RayPool(setup, workers or max(1, int(found.get("GPU", 0) or found.get("CPU", 1))))
    try:
        yield pool
    finally:
        pool.close()
        ray.shutdown()
