"""Training examples drawn by processes of their own and kept in files, which a training reads as they come."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from safetensors.torch import load_file
from torch import Tensor

from ..files import replacing

FILE = 1024
"""Examples of a file."""

Examples = Callable[[int, int], dict[str, np.ndarray]]
"""From the number of the first example and how many, to one array for each part of an example."""


def write(path: Path, examples: Examples, number: int, size: int) -> Path:
    """Draw the examples of the file ``number`` and write it, whole or not at all, unless it is there."""
    if not path.exists():
        arrays = examples(number * size, size)
        with replacing(path) as temporary:
            save_file({name: np.ascontiguousarray(part) for name, part in arrays.items()}, temporary)
    return path


class Series:
    """The files of a folder, drawn in the background in their order; a context manager."""

    def __init__(
        self, folder: Path, examples: Examples, files: int, processes: int | None = None, size: int = FILE
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(processes or os.cpu_count() or 1, context)
        paths = [folder / f"{number:04d}.safetensors" for number in range(files)]
        self.waiting = [self.pool.submit(write, path, examples, number, size) for number, path in enumerate(paths)]

    def __enter__(self) -> Series:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)

    def new(self, least: int = 0) -> list[dict[str, Tensor]]:
        """The files finished since the last call, and at least so many, for which it waits."""
        while sum(future.done() for future in self.waiting) < min(least, len(self.waiting)):
            time.sleep(0.1)
        done = [future for future in self.waiting if future.done()]
        self.waiting = [future for future in self.waiting if future not in done]
        return [load_file(future.result()) for future in done]
