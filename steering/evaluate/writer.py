"""A language model that writes of a concept: things like it, and sentences with it and without.

Asked once a concept; its answer is kept beside the prompts, so that the same command asks nothing twice and everybody
can read what was said. What of it is used, `steering.concepts.material` decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..concepts.material import FIT, TEST
from ..errors import SteeringError
from ..files import parse_object, read_text, write_text
from .judge_answers import without_keys
from .judge_transport import OPENAI
from .server import check_server, client_of

NAME = "llm.json"
"""The file of an answer, beside the prompts."""
SENTENCES = FIT + TEST + 10
"""Sentences that are asked for; some will be of no use."""
TEXTS = {"type": "string"}
CAPTION = {
    "type": "object",
    "properties": dict.fromkeys(("with", "instead", "without"), TEXTS),
    "required": ["with", "instead", "without"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {
        "siblings": {"type": "array", "items": TEXTS},
        "captions": {"type": "array", "items": CAPTION},
    },
    "required": ["siblings", "captions"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Writer:
    """Which model is asked.

    Attributes:
        model: its name on the server.
        base_url: the server.
        consent: whether the word may leave this machine, which a server elsewhere needs.
        retries: tries again after overload or a server's failure.
        timeout: seconds for the answer.
    """

    model: str
    base_url: str = OPENAI
    consent: bool = False
    retries: int = 2
    timeout: float = 600.0

    def __post_init__(self) -> None:
        check_server(self.base_url, self.consent, "llm", "the concept would be named to it")

    def ask(self, word: str, kind: str, explicit: bool, folder: Path) -> dict[str, Any]:
        """What the model says of a concept, from the folder where it was asked before.

        Raises:
            SteeringError: no server, no login, or an answer that is no JSON object.
        """
        question = question_of(word, kind, explicit)
        asked = {"model": self.model, "url": self.base_url, "question": question}
        path = folder / NAME
        if path.is_file():
            known = parse_object(read_text(path), NAME)
            if all(known.get(name) == value for name, value in asked.items()):
                return dict(known["answer"])
        answer = self._answer(question)
        write_text(path, json.dumps({**asked, "answer": answer}, indent=1, ensure_ascii=False))
        return answer

    def _answer(self, question: str) -> dict[str, Any]:
        client, secrets = client_of(self.base_url, self.retries, self.timeout, "llm")
        schema: Mapping[str, Any] = {"name": "prompts", "strict": True, "schema": SCHEMA}
        try:
            with client:
                completion = client.chat.completions.create(
                    model=self.model,
                    messages=[{"role": "user", "content": question}],
                    response_format={"type": "json_schema", "json_schema": schema},
                )
            text = completion.choices[0].message.content or ""
        except Exception as error:  # the client's own, and whatever a server sent that no parser expected
            said = without_keys(str(error), secrets)[:300]
            raise SteeringError(f"the llm at {self.base_url} gave no answer ({said})") from None
        inside = text[text.find("{") : text.rfind("}") + 1]  # some put words or a fence around it
        return parse_object(inside or "no JSON", "the llm's answer")


def question_of(word: str, kind: str, explicit: bool) -> str:
    """What is asked."""
    adults = (
        " Everybody in them is an adult and called one in every sentence; be clinical, show nothing explicit, name "
        "no real person."
        if explicit
        else ""
    )
    return (
        f"For testing how well a text-to-image model can leave something out, write about this {kind}: {word}.\n"
        "First siblings: twelve other things of the same sort that are easily confused with it, one to three words "
        "each, none of them it or a part of it.\n"
        f"Then captions: {SENTENCES} different sentences, each as somebody would describe a picture, at most 25 words, "
        "in many places, with many companions, never with parentheses. Each three times: with it (using its name), "
        "instead with one of the siblings in its place and every other word the same, and without, where nothing "
        f"stands in its place.{adults}\n"
        'Answer with JSON: {"siblings": ["..."], "captions": [{"with": "...", "instead": "...", "without": "..."}]}'
    )
