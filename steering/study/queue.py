"""Several processes that share work through a folder.

There is no process group and nobody who must stay alive: a unit of work is done when its result file is
there, whoever wrote it. Every process begins with the units that a hash gives to its rank and then helps
with the others. A claim file keeps two from doing the same at once; its owner touches it while at work, so
the claim of a process that died goes stale and the unit passes on. Should two ever work on one unit, both
write the same result.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import SteeringError

BEAT = 5.0
"""Seconds between two signs of life."""
STALE = 60.0
"""Seconds without one after which a claim counts as abandoned."""
_VARIABLES = (("RANK", "WORLD_SIZE"), ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"))


@dataclass(frozen=True)
class Crew:
    """This process's number among all.

    Attributes:
        rank: from 0.
        world: how many there are.
    """

    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise SteeringError(f"rank {self.rank} must be from 0 to {self.world - 1}, of {self.world} processes")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Crew:
        """As ``torchrun`` (RANK, WORLD_SIZE) or a SLURM array says; alone where neither does."""
        for rank, world in _VARIABLES:
            if environment.get(rank) and environment.get(world):
                try:
                    # A SLURM array may be numbered from 1, or be one task that is done again.
                    first = int(environment.get("SLURM_ARRAY_TASK_MIN", "0")) if rank.startswith("SLURM") else 0
                    return cls(int(environment[rank]) - first, int(environment[world]))
                except ValueError as error:
                    given = f"{rank}={environment[rank]}, {world}={environment[world]}"
                    raise SteeringError(f"{given} is no place among processes ({error})") from None
        return cls()

    def owns(self, key: str) -> bool:
        """Whether a unit of work is this process's to begin with."""
        return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % self.world == self.rank


def share(
    keys: Sequence[str],
    finished: Callable[[str], bool],
    do: Callable[[str], None],
    claims: Path,
    crew: Crew,
    pause: float = 0.5,
) -> None:
    """Return when every unit is finished, having done whatever nobody else did.

    Args:
        keys: names of the units; each is also the name of a file below ``claims``.
        finished: whether a unit's result is there.
        do: does a unit and writes its result whole or not at all.
        claims: folder of the claim files.
        crew: which units come first.
        pause: seconds to wait when all that is left is in other hands.
    """
    waiting = sorted(dict.fromkeys(keys), key=lambda key: not crew.owns(key))
    while waiting:
        elsewhere = []
        for key in waiting:
            if finished(key):
                continue
            with claim(claims / key) as ours:
                if not ours:
                    elsewhere.append(key)
                elif not finished(key):
                    do(key)
        if len(elsewhere) == len(waiting):
            time.sleep(pause)
        waiting = elsewhere


@contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Whether the claim is ours; if so it is kept alive inside the block and given back at its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not _take(path):
        yield False
        return
    done = threading.Event()
    heart = threading.Thread(target=_beat, args=(path, done), daemon=True)
    heart.start()
    try:
        yield True
    finally:
        done.set()
        heart.join()
        path.unlink(missing_ok=True)


def _take(path: Path) -> bool:
    if path.exists() and _abandoned(path):
        path.unlink(missing_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{socket.gethostname()} {os.getpid()}")
    except FileExistsError:
        return False
    return True


def _beat(path: Path, done: threading.Event) -> None:
    while not done.wait(BEAT):
        try:
            os.utime(path)
        except FileNotFoundError:  # taken for abandoned while this machine slept; the result is the same
            return


def _abandoned(path: Path) -> bool:
    try:
        host, _, number = path.read_text(encoding="utf-8").partition(" ")
        age = _now(path.parent) - path.stat().st_mtime
    except FileNotFoundError:
        return False
    here = host == socket.gethostname() and number.isdigit() and os.name == "posix"
    return age > STALE or (here and not _alive(int(number)))


def _now(folder: Path) -> float:
    """The time by the clock of whoever keeps the folder, which on a network is another machine's."""
    probe = folder / f".now-{socket.gethostname()}-{os.getpid()}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
