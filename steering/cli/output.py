"""Where every command of ``steering`` talks: standard output carries results only, standard error all else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

console = Console(stderr=True, markup=False)


def tell(text: str, style: str | None = None) -> None:
    """Print a sentence on standard error, as one line: a path that is broken in two cannot be copied."""
    console.print(text, style=style, soft_wrap=True, highlight=False)


def tell_of_other_weights(made: str) -> None:
    """Say that what was made on some weights is used on others; ``made`` begins the sentence."""
    tell(f"{made} other weights than these; on a fine-tune that often works", style="yellow")


@contextmanager
def progress(rows: int, label: str) -> Iterator[Any]:
    """A progress bar over UNet rows; yields the function to call with every few of them."""
    from tqdm import tqdm

    with tqdm(total=rows, desc=label, unit="row", unit_scale=True, file=sys.stderr, mininterval=0.5) as bar:
        yield bar.update


def answer(values: dict[str, Any], as_json: bool, text: str) -> None:
    """The last line: JSON, or a sentence."""
    print(json.dumps(values) if as_json else text)
