"""The prompts that a concept is judged on, and what a picture of each should show."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..checks import MOST_GUIDANCE, check_text, short
from ..errors import SteeringError
from ..families import family_named
from ..files import parse_object, read_text
from .pairs import CONCEPTS, built_in, spread
from .tables import Row, csv_rows, jsonl_rows, lines_of, text_of

ROLES = ("target", "sibling", "unrelated")
SEED_COLUMNS = ("seed", "sd_seed", "evaluation_seed")
GUIDANCE_COLUMNS = ("guidance", "sd_guidance_scale", "evaluation_guidance")
"""Names under which lists in use (I2P, UnlearnDiffAtk, T2I-RiskyPrompt) carry a row's seed and guidance."""


@dataclass(frozen=True)
class Prompt:
    """A prompt of an evaluation.

    Attributes:
        role: one of `ROLES`.
        text: the prompt.
        shows: the judge's labels that its picture should earn.
        rest: the prompt without the concept; empty where none is known.
        seed: its own seed; None lets the study draw one.
        guidance: its own guidance; None takes the study's.
        phrase: what prompts of the same wording share; empty where that is not known.
    """

    role: str
    text: str
    shows: tuple[str, ...] = ()
    rest: str = ""
    seed: int | None = None
    guidance: float | None = None
    phrase: str = ""


@dataclass(frozen=True)
class Concept:
    """A concept to evaluate.

    Attributes:
        name: its name.
        text: what CLIP is asked for.
        judge: the embedded judge's labels whose largest is the concept's presence.
        contrasts: texts between which zero-shot CLIP chooses, besides ``text``.
        rubric: what a judge's scores 0, 25, 50, 75 and 100 mean.
        explicit: whether its pictures are shown blurred.
    """

    name: str
    text: str
    judge: tuple[str, ...] = ()
    contrasts: tuple[str, ...] = ("a photo", "a photo of a person", "an empty scene")
    rubric: Mapping[str, str] = field(default_factory=dict)
    explicit: bool = False


def concept_folder(name: str, family: str = "pocket") -> Path:
    """The folder of a built-in concept, or a folder of one's own that holds a ``concept.json``.

    Raises:
        FileNotFoundError: neither; the message names the built-in ones.
    """
    for folder in (CONCEPTS / family_named(family).concepts / name, Path(name)):
        if (folder / "concept.json").is_file():
            return folder
    raise FileNotFoundError(
        f"concept {name!r} is not one of {', '.join(evaluated(family)) or 'none'} of {family}, nor a folder with "
        "concept.json, fit.csv, dev.csv and test.csv"
    )


def concept_name(path: Path) -> str:
    """The name of the concept whose pairs a file or folder holds: as its concept.json says, else its own."""
    folder = path if path.is_dir() else path.parent
    if path.exists() and (folder / "concept.json").is_file():
        return load_concept(str(folder.resolve())).name
    return folder.name if path.name == "fit.csv" else path.stem


def evaluated(family: str = "pocket") -> list[str]:
    """The built-in concepts of a family that have prompts to be judged on; others have pairs only."""
    return [
        name
        for name in built_in(family)
        if (CONCEPTS / family_named(family).concepts / name / "concept.json").is_file()
    ]


def load_concept(name: str, family: str = "pocket") -> Concept:
    """A concept by name or folder; see `concept_folder`.

    Raises:
        SteeringError: ``concept.json`` lacks its name or text, or is no JSON.
    """
    path = concept_folder(name, family) / "concept.json"
    try:
        about = parse_object(read_text(path), str(path))
        known: dict[str, Any] = {"name": str(about["name"]), "text": str(about["text"])}
    except KeyError as error:
        raise SteeringError(f"{path} must be a JSON object with at least 'name' and 'text' ({error!r})") from None
    check_text(known["text"], str(path))
    _check_name(known["name"], path)
    rubric = about.get("rubric", {})
    if not isinstance(rubric, dict) or not all(isinstance(part, str) for part in rubric.values()):
        raise SteeringError(f'{path}: \'rubric\' must be an object of texts, as {{"0": "nothing of it"}}')
    for key in ("judge", "contrasts"):
        if key in about and not (isinstance(about[key], list) and all(isinstance(text, str) for text in about[key])):
            raise SteeringError(f"{path}: {key!r} must be a list of texts, got {short(about[key])}")
    known |= {key: tuple(about[key]) for key in ("judge", "contrasts") if about.get(key)}
    explicit = about.get("explicit", False)
    if not isinstance(explicit, bool):
        raise SteeringError(f"{path}: 'explicit' must be true or false, got {short(explicit)}")
    return Concept(**known, rubric=rubric, explicit=explicit)


LONGEST_NAME = 64
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}
"""Names that Windows gives to no folder."""


def _check_name(name: str, path: Path) -> None:
    if not name.replace("_", "").replace("-", "").isalnum() or name.lower() in RESERVED or len(name) > LONGEST_NAME:
        raise SteeringError(
            f"{path}: name {short(name)} may hold letters, digits, - and _ only, at most {LONGEST_NAME}, and be no "
            "name that Windows reserves; it names folders"
        )


def load_prompts(name: str, which: str, family: str = "pocket") -> list[Prompt]:
    """The ``dev`` or ``test`` prompts of a concept, in file order."""
    return read_prompts(concept_folder(name, family) / f"{which}.csv")


def read_prompts(path: str | Path) -> list[Prompt]:
    """Prompts of a file: CSV with a ``prompt`` column, JSON lines with that key, or plain text, one a line.

    Blank lines, and lines of plain text that start with #, do not count. CSV and JSON lines may also hold ``role``
    (target if not), ``shows`` (labels separated by spaces, or in JSON a list of them), ``rest`` (the prompt without the
    concept), ``phrase`` (a name for its wording), and a seed and guidance a row (`SEED_COLUMNS`, `GUIDANCE_COLUMNS`).

    Raises:
        FileNotFoundError: no such file.
        SteeringError: another ending, no prompt, an unknown role, a value that is no text, or a seed or guidance that
            is no number; the message names the line.
    """
    path = Path(path)
    if path.suffix not in _READERS:
        raise SteeringError(f"{path.name}: prompts are read from {', '.join(_READERS)} files")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of prompts {path}")
    rows = _READERS[path.suffix](read_text(path), path.name)
    read = [_prompt(row, f"{path.name}, line {line}") for line, row in rows]
    prompts = [prompt for prompt in read if prompt is not None]
    if not prompts:
        raise SteeringError(f"{path.name} holds no prompts")
    if len(prompts) < len(rows):  # as the I2P list has some
        warnings.warn(
            f"{path.name}: {len(rows) - len(prompts)} of {len(rows)} rows hold no prompt and are left out", stacklevel=2
        )
    return prompts


def _csv_rows(text: str, name: str) -> list[Row]:
    return csv_rows(text, name, ("prompt",))


def _text_rows(text: str, name: str) -> list[Row]:
    lines = enumerate(lines_of(text), start=1)
    return [(number, {"prompt": line}) for number, line in lines if line.strip() and not line.startswith("#")]


_READERS = {".csv": _csv_rows, ".jsonl": jsonl_rows, ".txt": _text_rows}


def _prompt(row: Mapping[str, Any], where: str) -> Prompt | None:
    """The prompt of a row; None where the row holds none."""
    text, role, rest = (text_of(row, column, where) for column in ("prompt", "role", "rest"))
    if not text:
        return None
    for part in (text, rest):
        check_text(part, where)
    if role and role not in ROLES:
        raise SteeringError(f"{where}: role {short(role)} is not one of {', '.join(ROLES)}")
    seed, guidance = _seed(row, where), _guidance(row, where)
    return Prompt(role or "target", text, _shows(row, where), rest, seed, guidance, text_of(row, "phrase", where))


def _shows(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    given = row.get("shows")
    if isinstance(given, list) and all(isinstance(label, str) for label in given):
        return tuple(given)
    return tuple(text_of(row, "shows", where).split())


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _seed(row: Mapping[str, Any], where: str) -> int | None:
    given = _first(row, SEED_COLUMNS)
    if given is None:
        return None
    text = str(given).strip().removesuffix(".0")  # as spreadsheets write whole numbers
    if not text.isdecimal() or len(text) > 19 or int(text) >= 2**63:
        raise SteeringError(f"{where}: seed must be a whole number from 0, got {short(given)}")
    return int(text)


def _guidance(row: Mapping[str, Any], where: str) -> float | None:
    given = _first(row, GUIDANCE_COLUMNS)
    if given is None:
        return None
    try:
        number = float(given)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not abs(number) <= MOST_GUIDANCE:  # what is not a number is not either
        raise SteeringError(f"{where}: guidance must be a number up to {MOST_GUIDANCE:g}, got {short(given)}")
    return number


def take(prompts: list[Prompt], role: str, count: int) -> list[Prompt]:
    """``count`` prompts of a role (or all of them), spread evenly over the list."""
    return spread([prompt for prompt in prompts if prompt.role == role], count)
