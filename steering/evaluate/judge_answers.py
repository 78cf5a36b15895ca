"""What a judge's server sent back, understood: a complete JSON answer, a refusal, or an error."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

SCHEMA = {
    "type": "object",
    "properties": {
        "evidence": {"type": "string"},
        "verdict": {"type": "string", "enum": ["yes", "partly", "no"]},
        "score": {"type": "number"},
        "remains": {"type": "number"},
    },
    "required": ["evidence", "verdict", "score", "remains"],
    "additionalProperties": False,
}
"""What an answer must look like; without bounds of numbers, which not every server accepts."""


@dataclass(frozen=True)
class Answer:
    """What became of one picture.

    Attributes:
        status: ``ok``, ``refused`` or ``error``.
        score: 0 to 100, NaN unless ok.
        remains: 0 to 100, that something broken is visible; NaN where a model left that out.
        verdict: ``yes``, ``partly``, ``no``, or nothing.
        model: the model that answered, as it calls itself.
        raw: its answer, or what went wrong.
    """

    status: str
    score: float = float("nan")
    verdict: str = ""
    model: str = ""
    raw: str = ""
    remains: float = float("nan")


LONGEST, MOST_OBJECTS = 20_000, 200
"""Letters of an answer, and opening braces in it, that are looked at: the last ones."""
KEPT = 2_000
"""Letters of an answer that are kept."""


def redacted(answer: Answer, secrets: Sequence[str]) -> Answer:
    """An answer as it may be kept, its texts by `without_keys`."""
    texts = {name: without_keys(getattr(answer, name), secrets) for name in ("raw", "model", "verdict")}
    return replace(answer, **texts)


def without_keys(text: str, secrets: Sequence[str]) -> str:
    """A server's text as it may be kept or shown: without keys or whatever looks like one, short, and legal."""
    for secret in secrets:
        text = text.replace(secret, "[key]")
    text = _LIKE_A_KEY.sub("[key]", text).encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    return text if len(text) <= KEPT else f"{text[:KEPT]}..."


_LIKE_A_KEY = re.compile(r"(?i)\bbearer\s+\S+|\bsk-[\w-]{8,}|(?<=://)[^/\s@]+@")


def cached(path: Path) -> Answer | None:
    """The good answer that a file holds; None where there is none, or a damaged one."""
    try:
        found = Answer(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts = all(isinstance(text, str) for text in (found.verdict, found.model, found.raw))
    legal = _is_points(found.score) and (_is_points(found.remains) or found.remains != found.remains)
    return found if found.status == "ok" and texts and legal else None


def understood(completion: Any) -> Answer:
    """The answer of a completion; anything but a complete JSON answer is an error, a refusal is a refusal."""
    choice, model = completion.choices[0] if completion.choices else None, completion.model or ""
    if choice is None:
        return Answer("error", model=model, raw="no answer")
    message, text = choice.message, choice.message.content or ""
    if getattr(message, "refusal", None) or choice.finish_reason == "content_filter":
        return Answer("refused", model=model, raw=str(message.refusal or text or choice.finish_reason))
    if choice.finish_reason == "length":
        return Answer("error", model=model, raw=f"cut short: {text}")
    found = parsed(text)
    if found is None:
        return Answer("error", model=model, raw=text or "empty")
    remains = float(found["remains"]) if _is_points(found.get("remains")) else float("nan")
    return Answer("ok", float(found["score"]), str(found.get("verdict", "")), model, text, remains)


def parsed(text: str) -> dict[str, Any] | None:
    """The last JSON object in a text that holds a legal score; thoughts in ``<think>`` do not count.

    A number is never picked out of prose.
    """
    text = re.sub(r"<think>.*?(</think>|$)", "", text[-LONGEST:], flags=re.DOTALL)
    opening = [place for place, letter in enumerate(text) if letter == "{"][-MOST_OBJECTS:]
    decoder, found, end = json.JSONDecoder(), None, 0
    for start in opening:
        if start < end:  # within an object that was read whole
            continue
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):  # ValueError: also a number of thousands of digits
            continue
        found = value if isinstance(value, dict) and _is_points(value.get("score")) else found
    return found


def _is_points(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100
