import os
import subprocess
import sys
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.study import queue as crew
from steering.study.queue import Crew, claim, share

from .conftest import together


def test_a_process_learns_its_place_from_torchrun_or_slurm():
    assert Crew.from_environment({}) == Crew(0, 1)
    assert Crew.from_environment({"RANK": "2", "WORLD_SIZE": "3"}) == Crew(2, 3)
    assert Crew.from_environment({"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "4"}) == Crew(1, 4)
    array = {"SLURM_ARRAY_TASK_ID": "8", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_TASK_MIN": "1"}
    assert Crew.from_environment(array) == Crew(7, 8)
    alone = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "1", "SLURM_ARRAY_TASK_MIN": "5"}
    assert Crew.from_environment(alone) == Crew(0, 1)
    with pytest.raises(ValueError, match=r"RANK=3.*no place"):
        Crew.from_environment({"RANK": "3", "WORLD_SIZE": "3"})
    with pytest.raises(ValueError, match="RANK=x"):
        Crew.from_environment({"RANK": "x", "WORLD_SIZE": "3"})


@given(world=st.integers(1, 7), keys=st.sets(st.text(min_size=1), min_size=1, max_size=30))
def test_every_unit_begins_with_exactly_one_process(world, keys):
    for key in keys:
        assert sum(Crew(rank, world).owns(key) for rank in range(world)) == 1


def job(folder, place, done, keys, die_at=None):
    """A process's part: every finished unit is a file."""

    def do(key):
        if key == die_at:
            raise RuntimeError("died")
        time.sleep(0.01)
        done.append(key)
        (folder / key).write_text("x", encoding="utf-8")

    return lambda: share(keys, lambda key: (folder / key).is_file(), do, folder / "claims", place, pause=0.02)


KEYS = [f"unit{i}" for i in range(20)]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_all_units_are_done_and_each_once(tmp_path, world):
    done: list[str] = []
    together(*(job(tmp_path, Crew(rank, world), done, KEYS) for rank in range(world)))
    assert Counter(done) == Counter(KEYS)
    assert not list((tmp_path / "claims").iterdir())


def test_one_process_does_the_units_of_those_that_never_came(tmp_path):
    done: list[str] = []
    job(tmp_path, Crew(1, 3), done, KEYS)()
    assert Counter(done) == Counter(KEYS)
    own = [key for key in KEYS if Crew(1, 3).owns(key)]
    assert 0 < len(own) < 20
    assert done[: len(own)] == own  # its own first


def test_when_one_dies_at_work_the_others_finish(tmp_path):
    done: list[str] = []
    mine = next(key for key in KEYS if Crew(0, 2).owns(key))
    with pytest.raises(RuntimeError, match="died"):
        together(job(tmp_path, Crew(0, 2), done, KEYS, die_at=mine), job(tmp_path, Crew(1, 2), done, KEYS))
    assert Counter(done) == Counter(KEYS)


def test_a_claim_is_refused_while_it_lives_and_free_afterwards(tmp_path):
    path = tmp_path / "unit"
    with claim(path) as ours:
        assert ours
        with claim(path) as second:
            assert not second
        assert path.is_file()  # the refused one took nothing away
    with claim(path) as ours:
        assert ours
    assert not path.exists()


def test_the_claim_of_a_dead_process_is_taken_over(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    path = tmp_path / "unit"
    path.write_text(f"{crew.socket.gethostname()} {process.pid}", encoding="utf-8")
    with claim(path) as ours:
        assert ours


def test_a_claim_of_another_machine_is_abandoned_when_its_heart_stops(tmp_path):
    path = tmp_path / "unit"
    path.write_text("elsewhere 1", encoding="utf-8")
    with claim(path) as ours:
        assert not ours
    old = time.time() - crew.STALE - 5
    os.utime(path, (old, old))
    with claim(path) as ours:
        assert ours


def test_a_claim_of_a_process_that_lives_but_does_not_beat_is_abandoned_too(tmp_path):
    path = tmp_path / "unit"
    path.write_text(f"{crew.socket.gethostname()} {os.getpid()}", encoding="utf-8")  # a number given out anew
    with claim(path) as ours:
        assert not ours
    os.utime(path, (0, 0))
    with claim(path) as ours:
        assert ours


def test_whoever_works_shows_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "BEAT", 0.05)
    path = tmp_path / "unit"
    with claim(path):
        os.utime(path, (0, 0))
        time.sleep(0.3)
        assert path.stat().st_mtime > 1
