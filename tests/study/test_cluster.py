"""Units of work on a real Ray of several nodes on this machine."""

import os
import signal
import sys
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from steering.errors import SteeringError
from steering.evaluate.clip_score import PocketClip
from steering.evaluate.measures import Measures
from steering.evaluate.metrics import ClipScore, PixelChange, PocketJudge
from steering.models.loading import load_model
from steering.models.sampling import silent
from steering.study.cluster import MOST_DEATHS, RayPool, Setup, ray_pool
from steering.study.pool import ALONE, Bench

from .conftest import CONCEPTS

ray = pytest.importorskip("ray", reason="Ray is the extra 'cluster'")
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",  # of Ray's own
    "ignore::FutureWarning",
    "ignore:no worker has come",  # a busy machine takes its time
)

# Workers know the package, and what of this file they need comes with the unit itself.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def bench():
    return Bench(load_model("pocket", "cpu"), [PocketJudge(), ClipScore(PocketClip()), PixelChange()])


@pytest.fixture(scope="module")
def setup(bench):
    return Setup.of("pocket", {"device": "cpu"}, Measures(), CONCEPTS, bench)


@pytest.fixture(scope="module")
def pool(setup):
    """Two workers on this machine, both of which have loaded everything."""
    with ray_pool(setup, workers=2) as made:
        ray.get([worker.ready.remote() for worker in made.staff()])
        yield made


@dataclass(frozen=True)
class Square:
    """A unit that says who did it, and may take its worker with it or fail."""

    number: int
    rows: int = 1
    dies: str = ""
    fails: bool = False
    after: float = 0.0

    def do(self, bench, progress=silent):
        assert bench.model.family == "pocket"
        time.sleep(self.after)
        if self.dies and (self.dies == "always" or not Path(self.dies).exists()):
            if self.dies != "always":
                Path(self.dies).touch()
            os._exit(1)
        if self.fails:
            raise SteeringError(f"{self.number} is no number to square")
        return self.number**2, os.getpid()


class Nobody:
    """A worker that Ray never finds room for."""

    def ready(self):
        """Never called."""


def run(pool, *units):
    kept, rows = {}, []
    tasks = {str(unit.number): lambda unit=unit: unit for unit in units}
    pool.do(None if pool is not ALONE else Bench(load_model("pocket", "cpu"), []), tasks, kept.__setitem__, rows.append)
    return kept, sum(rows)


def test_every_unit_is_done_once_by_workers_and_counted(pool):
    kept, rows = run(pool, *(Square(i, after=0.1) for i in range(20)))  # long enough for both
    assert {name: value for name, (value, _) in kept.items()} == {str(i): i**2 for i in range(20)}
    assert rows == 20
    others = {process for _, process in kept.values()}
    assert os.getpid() not in others
    assert len(others) == 2
    again, _ = run(pool, Square(3), Square(4))
    assert {process for _, process in again.values()} <= others  # nobody is started anew


def test_a_unit_whose_worker_dies_goes_to_another(pool, tmp_path):
    kept, rows = run(pool, *(Square(i, dies=str(tmp_path / "died") if i == 5 else "") for i in range(12)))
    assert {name: value for name, (value, _) in kept.items()} == {str(i): i**2 for i in range(12)}
    assert rows == 12
    assert (tmp_path / "died").exists()


@pytest.mark.slow
def test_a_unit_whose_worker_dies_goes_to_an_idle_one_where_there_is_no_room_for_another(pool, tmp_path, monkeypatch):
    run(pool, Square(1), Square(2))

    def nowhere(self):
        self._workers.append(ray.remote(Nobody).options(num_cpus=99).remote())
        return self._workers[-1]

    monkeypatch.setattr(RayPool, "hire", nowhere)
    kept, _ = run(pool, Square(1), Square(2, dies=str(tmp_path / "died"), after=1.0))
    assert {name: value for name, (value, _) in kept.items()} == {"1": 1, "2": 4}
    monkeypatch.undo()
    pool.close()


@pytest.mark.slow
def test_workers_that_died_between_rounds_are_found_and_replaced(pool):
    before = {process for _, process in run(pool, *map(Square, range(6)))[0].values()}
    for process in before:
        os.kill(process, signal.SIGKILL)
    after = {process for _, process in run(pool, *map(Square, range(6)))[0].values()}
    assert after and not after & before


@pytest.mark.slow
def test_a_unit_that_takes_every_worker_with_it_is_given_up(pool):
    with pytest.raises(SteeringError, match=f"7 took {MOST_DEATHS} workers with it"):
        run(pool, Square(6), Square(7, dies="always"))
    assert run(pool, Square(2))[0]["2"][0] == 4  # the pool is whole


def test_an_error_of_a_unit_comes_back_as_it_was_raised(pool):
    with pytest.raises(SteeringError, match=r"^3 is no number to square$"):
        run(pool, Square(3, fails=True))
    assert run(pool, Square(2))[0]["2"][0] == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [({"digest": "0"}, "pocket has other weights on"), ({"version": "0"}, "version .* of this package, not 0")],
)
def test_a_worker_that_loads_something_else_is_refused(pool, setup, change, words):
    pool.close()  # there is room for so many workers
    other = RayPool(replace(setup, **change), 1)
    with closing(other), pytest.raises(SteeringError, match=words):
        run(other, Square(1))
