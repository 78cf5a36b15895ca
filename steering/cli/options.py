"""What every command of ``steering`` shares: where it talks, progress, answers, arguments."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ..errors import SteeringError
from ..interventions.operators import Mode

# Standard output carries results only; progress and talk go to standard error.
console = Console(stderr=True)

SITES = "attn1,attn2,ff,resnet"
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one line of JSON as the last line of the output.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")]
Preset = Annotated[
    str | None, typer.Option(help="projection, casteer, precise, selective or lora; the file's own if not given.")
]
ModeName = Annotated[Mode, typer.Option(help="suppress, replace (with --target) or add.")]
Target = Annotated[str | None, typer.Option(help="FILE of the vector that takes the concept's place, for replace.")]


@contextmanager
def progress(rows: int, label: str) -> Iterator[Any]:
    """A progress bar over UNet rows; yields the function to call with every few of them."""
    from tqdm import tqdm

    with tqdm(total=rows, desc=label, unit="row", unit_scale=True, file=sys.stderr, mininterval=0.5) as bar:
        yield bar.update


def answer(values: dict[str, Any], as_json: bool, text: str) -> None:
    """The last line: JSON, or a sentence."""
    typer.echo(json.dumps(values) if as_json else text)


def new_file(path: Path, *suffixes: str, option: str = "--out") -> Path:
    """Refuse a wrong ending or a folder before any work is done."""
    if path.suffix not in suffixes:
        raise SteeringError(f"{option} {path} must end in {' or '.join(suffixes)}")
    if path.is_dir() or (path.parent.exists() and not path.parent.is_dir()):
        raise SteeringError(f"{option} {path} is not a place for a file")
    return path


def file_and_strength(item: str, option: str = "--vector") -> tuple[str, float | None]:
    """``FILE`` or ``FILE:NUMBER`` in its parts."""
    head, colon, tail = item.rpartition(":")
    if not colon or Path(item).is_file():
        return item, None
    try:
        return head, float(tail)
    except ValueError:
        raise SteeringError(f"{option} {item!r} is neither a file nor FILE:NUMBER with a number") from None
