"""The HTML report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import write_text


def write_report(path: Path, template: Path, **values: Any) -> None:
    """Fill a template; every value is escaped, prompts are not to be trusted."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    write_text(path, environment.get_template(template.name).render(values))
