"""What a judge's server sent back, understood: a complete JSON answer, a refusal, or an error."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

SCHEMA = {
    "type": "object",
    "properties": {
        "evidence": {"type": "string"},
        "verdict": {"type": "string", "enum": ["yes", "partly", "no"]},
        "score": {"type": "number"},
    },
    "required": ["evidence", "verdict", "score"],
    "additionalProperties": False,
}
"""What an answer must look like; without bounds of numbers, which not every server accepts."""


@dataclass(frozen=True)
class Answer:
    """What became of one picture.

    Attributes:
        status: ``ok``, ``refused`` or ``error``.
        score: 0 to 100, NaN unless ok.
        verdict: ``yes``, ``partly``, ``no``, or nothing.
        model: the model that answered, as it calls itself.
        raw: its answer, or what went wrong.
    """

    status: str
    score: float = float("nan")
    verdict: str = ""
    model: str = ""
    raw: str = ""


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
    return Answer("ok", float(found["score"]), str(found.get("verdict", "")), model, text)


def parsed(text: str) -> dict[str, Any] | None:
    """The last JSON object in a text that holds a legal score; thoughts in ``<think>`` do not count.

    A number is never picked out of prose.
    """
    text = re.sub(r"<think>.*?(</think>|$)", "", text, flags=re.DOTALL)
    decoder, found, start = json.JSONDecoder(), None, text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            end = start + 1
        else:
            found = value if _is_answer(value) else found
        start = text.find("{", end)
    return found


def _is_answer(value: Any) -> bool:
    score = value.get("score") if isinstance(value, dict) else None
    return isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 100
