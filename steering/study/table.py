"""A table of texts, as Markdown, LaTeX and CSV, and how numbers are written in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..evaluate.statistics import Estimate
from ..files import csv_text


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        title: what it is.
        header: names of the columns.
        rows: cells.
        note: how to read it.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def markdown(self) -> str:
        """As Markdown."""
        lines = [self.header, ("---",) * len(self.header), *self.rows]
        body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        return f"### {self.title}\n\n{body}\n" + (f"\n{self.note}\n" if self.note else "")

    def latex(self) -> str:
        """As a LaTeX table (booktabs)."""
        lines = [" & ".join(map(_tex, line)) + r" \\" for line in (self.header, *self.rows)]
        columns = "l" + "r" * (len(self.header) - 1)
        return "\n".join(
            [
                r"\begin{table}",
                rf"\caption{{{_tex(self.title)}. {_tex(self.note)}}}",
                rf"\begin{{tabular}}{{{columns}}}",
                r"\toprule",
                lines[0],
                r"\midrule",
                *lines[1:],
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )


_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_SPECIAL |= {letter: rf"\{letter}" for letter in "&%$#_{}"}
_SPECIAL |= {"→": r"$\to$", "≤": r"$\le$", "<": "$<$", ">": "$>$", "|": "$|$", "λ": r"$\lambda$"}
_SPECIAL |= {"−": "$-$", "–": "--", "×": r"$\times$", "²": "$^2$"}


def _tex(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def to_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """CSV text; texts that a spreadsheet would take for a formula get an apostrophe in front."""
    return csv_text(header, [[_harmless(cell) for cell in row] for row in rows])


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def interval(values: Estimate | None, digits: int = 1) -> str:
    """A mean with its interval, or without where there is none; nothing for what was not measured."""
    if values is None:
        return ""
    if not np.isfinite([values.low, values.high]).all():
        return f"{values.mean:.{digits}f} [–]"
    return f"{values.mean:.{digits}f} [{values.low:.{digits}f}, {values.high:.{digits}f}]"


def p_text(p: float) -> str:
    """A p-value."""
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"
