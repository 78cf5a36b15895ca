"""The HTML report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import write_text


def write_report(path: Path, **values: Any) -> None:
    """Fill the template; every value is escaped, prompts are not to be trusted."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    write_text(path, environment.get_template("report.html.jinja").render(values))
