"""Rows of CSV and JSON lines, read strictly: no row, column or value is dropped or joined in silence."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping
from typing import Any

from ..checks import short
from ..errors import SteeringError
from ..files import parse_object

Row = tuple[int, dict[str, Any]]
"""The number of the line on which a row ends, and its values by column."""

CURLY = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
_ENCLOSED = re.compile(r"(^|,)(\s*)\u201c([^\u201c\u201d]*)\u201d(?=\s*(?:,|$))")


def lines_of(text: str) -> list[str]:
    """The lines of a text, which end where editors say so; not at U+2028, U+0085 and others that prompts may hold."""
    return text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def csv_rows(text: str, name: str, needed: Collection[str]) -> list[Row]:
    """The rows of a CSV text under its header, without empty ones.

    Quotes around a field may be curly. A row may lack its last columns, never hold more than the header.

    Raises:
        SteeringError: a header that lacks one of ``needed`` or names a column twice, a quote left open or inside a
            field, or a row with more columns than the header; the message names the line.
    """
    reader = csv.reader(io.StringIO("\n".join(map(_straight, lines_of(text)))), skipinitialspace=True, strict=True)
    try:
        numbered = [(reader.line_num, row) for row in reader if any(value.strip() for value in row)]
    except csv.Error as error:
        raise SteeringError(
            f"{name}, line {reader.line_num}: not CSV ({error}); a quote may be left open, or stand inside a field "
            'undoubled (write "" there)'
        ) from None
    header = [column.strip() for column in numbered[0][1]] if numbered else []
    if not set(needed) <= set(header):
        raise SteeringError(
            f"{name}: the header must hold the columns {', '.join(needed)}, got "
            f"{short(','.join(header)) if header else 'an empty file'}"
        )
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise SteeringError(f"{name}: the header names the column {short(twice[0])} twice; take one out")
    for line, row in numbered[1:]:
        if len(row) > len(header):
            raise SteeringError(f"{name}, line {line}: more columns than the header; quote prompts with commas")
        if any("\n" in value for value in row):
            raise SteeringError(
                f"{name}, line {line}: a field goes over several lines; a quote may be left open, close it"
            )
    return [(line, dict(zip(header, row, strict=False))) for line, row in numbered[1:]]


def _straight(line: str) -> str:
    """A line whose fields are enclosed in curly quotes, in straight ones; as it is where straight ones are used."""
    if '"' in line:
        return line
    return _ENCLOSED.sub(r'\1\2"\3"', line)


def jsonl_rows(text: str, name: str) -> list[Row]:
    """The objects of JSON lines with the numbers of their lines."""
    numbered = enumerate(lines_of(text), start=1)
    return [(line, parse_object(content, f"{name}, line {line},")) for line, content in numbered if content.strip()]


def text_of(row: Mapping[str, Any], column: str, where: str) -> str:
    """A row's text, without spaces around it; empty where it has none.

    Raises:
        SteeringError: a number, a list or another thing that is no text.
    """
    value = row.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SteeringError(f"{where}: {column} must be a text, got {short(value)}")
    return value.strip()
