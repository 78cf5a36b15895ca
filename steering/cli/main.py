"""The ``steering`` command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..errors import SteeringError
from ..version import __version__
from .build import build, capture, score
from .demo import demo
from .inspect import inspect
from .options import console
from .pictures import generate, map_, sweep
from .study import evaluate, study
from .tune import tune
from .vectors import combine, contrast, export_lora, greedy

app = typer.Typer(
    help="Find where a diffusion model holds a concept, and steer it while the picture is made.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


for command in (
    demo,
    capture,
    score,
    build,
    inspect,
    contrast,
    greedy,
    combine,
    generate,
    sweep,
    study,
    tune,
    evaluate,
):
    app.command()(command)
app.command("map")(map_)
app.command("export-lora")(export_lora)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find where a diffusion model holds a concept, and steer it while the picture is made."""


def main() -> None:
    """Run the command: bad input ends with one sentence and status 2, Ctrl-C with status 130."""
    try:
        app()
    except KeyboardInterrupt:
        console.print("interrupted; run the same command again to go on")
        sys.exit(130)
    except (SteeringError, OSError) as error:
        console.print(f"steering: {error}", style="red", highlight=False, markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
