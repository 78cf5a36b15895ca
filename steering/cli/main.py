"""The ``steering`` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from ..errors import SteeringError
from ..version import __version__
from .build import build, capture, score
from .concept import concept
from .demo import demo
from .inspect import inspect
from .output import tell
from .pictures import generate, map_, sweep
from .study import evaluate, study
from .tune import tune
from .vectors import combine, contrast, export_lora, greedy

app = App(
    name="steering",
    help="Find where a diffusion model holds a concept, and steer it while the picture is made.",
    version=__version__,
    help_format="restructuredtext",
    # A flag has no --no-flag, and a list no --empty-list, unless an option says so.
    default_parameter=Parameter(negative=()),
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
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
    map_,
    study,
    tune,
    evaluate,
    export_lora,
):
    app.command(command, name=command.__name__.rstrip("_").replace("_", "-"))
app.command(concept)


def main(words: Sequence[str] | None = None) -> None:
    """Run a command, that of the command line if none is given.

    Bad input ends with one sentence and status 2, Ctrl-C with status 130.
    """
    try:
        app(sys.argv[1:] if words is None else words)
    except KeyboardInterrupt:
        tell("interrupted; run the same command again to go on")
        sys.exit(130)
    except (CycloptsError, SteeringError, OSError) as error:
        tell(f"steering: {error}", style="red")
        sys.exit(2)


if __name__ == "__main__":
    main()
