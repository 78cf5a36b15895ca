"""A vision language model as judge: presence of a concept, 0 to 100, from any server that speaks OpenAI's protocol.

OpenAI, Ollama, vLLM, LM Studio and llama.cpp all take ``chat.completions`` with the picture as a data URL and a
``json_schema`` as response format, so that is all that is used. A judge can rank better than it can score (arXiv
2604.25235): use its scores for differences between arms. It sees one picture at a time, and never which arm it is of.

Every good answer is kept in a file, so nothing is asked twice. A refused or failed picture is missing, never 0.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..concepts.prompts import Concept
from ..errors import SteeringError
from ..files import write_text
from .extras import extra
from .judge_answers import SCHEMA, Answer, cached, redacted, understood
from .judge_transport import OPENAI
from .metrics import Batch, Columns
from .server import check_server, client_of, is_local

GIVE_UP = 3
"""Refused logins in a row after which the rest is not tried."""
OPTIONAL = {"temperature": 0.0, "max_completion_tokens": 600}
"""Sent until a server says that it does not take them; ``max_completion_tokens`` then goes by its older name."""


@dataclass(frozen=True)
class JudgeSettings:
    """Which judge is asked, and how.

    Attributes:
        model: its name on the server.
        base_url: the server.
        consent: whether pictures may leave this machine, which a server elsewhere needs.
        workers: pictures asked about at once.
        retries: tries again after overload or a server's failure.
        timeout: seconds for one answer.
        limit: most answers that may be paid for in one run; None is no limit.
    """

    model: str
    base_url: str = OPENAI
    consent: bool = False
    workers: int = 6
    retries: int = 2
    timeout: float = 120.0
    limit: int | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise SteeringError("the judge needs the name of a model on its server")
        check_server(self.base_url, self.consent, "judge", "pictures may be explicit")

    @property
    def local(self) -> bool:
        """Whether the server is on this machine."""
        return is_local(self.base_url)


class Judge:
    """A metric that asks a vision language model.

    Args:
        settings: which one.
        cache: folder of its good answers.

    Raises:
        SteeringError: openai is missing, or the server is elsewhere and the key is not in the environment.
    """

    name = "judge"

    def __init__(self, settings: JudgeSettings, cache: Path) -> None:
        self.settings, self.cache = settings, cache
        self.openai = extra("openai", "judge")
        self.client, self._secrets = client_of(settings.base_url, settings.retries, settings.timeout, "judge")
        self.asked = 0
        self._options: dict[str, Any] = dict(OPTIONAL)
        self._dropped: list[str] = []
        self._refused_logins = 0
        self._lock = threading.Lock()

    def identity(self) -> dict[str, Any]:
        """Server, model, and the questions' form."""
        asked = asdict(self.settings)
        return {"metric": self.name, "schema": SCHEMA} | {name: asked[name] for name in ("model", "base_url")}

    def about(self, concept: Concept) -> Any:
        """The question."""
        return rubric(concept)

    def measure(self, batch: Batch) -> Columns:
        """``judge_score`` and ``judge_remains`` (NaN where missing), and texts.

        These are ``judge_status``, ``judge_verdict``, ``judge_model`` and ``judge_raw``.
        """
        with ThreadPoolExecutor(self.settings.workers) as pool:
            answers = list(pool.map(lambda image: self.ask(image, batch.concept), batch.images))
        points = {"score": [answer.score for answer in answers], "remains": [answer.remains for answer in answers]}
        columns: dict[str, Any] = {f"judge_{name}": np.array(some, np.float32) for name, some in points.items()}
        for name in ("status", "verdict", "model", "raw"):
            columns[f"judge_{name}"] = [getattr(answer, name) for answer in answers]
        return columns | {"unfinished": [answer.status == "error" for answer in answers]}

    def ask(self, image: np.ndarray, concept: Concept) -> Answer:
        """The answer about a picture ``uint8 [H, W, 3]``, from the cache where there is one."""
        encoded, question = png(image), rubric(concept)
        path = self.cache / f"{self._key(encoded, question)}.json"
        known = cached(path)
        if known is not None:
            return known
        if not self._may_ask():
            return Answer("error", raw="not asked: the limit of this run, or refused logins")
        answer = redacted(self._asked(encoded, question), self._secrets)
        if answer.status == "ok":
            write_text(path, json.dumps(asdict(answer), ensure_ascii=False))
        return answer

    def _key(self, encoded: bytes, question: str) -> str:
        mark = json.dumps([self.settings.base_url, self.settings.model, question, SCHEMA], sort_keys=True)
        return hashlib.sha256(mark.encode() + encoded).hexdigest()

    def _may_ask(self) -> bool:
        with self._lock:
            if self._refused_logins >= GIVE_UP or (
                self.settings.limit is not None and self.asked >= self.settings.limit
            ):
                return False
            self.asked += 1
            return True

    def _asked(self, encoded: bytes, question: str) -> Answer:
        picture = {
            "type": "image_url",
            "image_url": {"url": "data:image/png;base64," + base64.b64encode(encoded).decode()},
        }
        request = {
            "model": self.settings.model,
            "messages": [{"role": "user", "content": [{"type": "text", "text": question}, picture]}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "presence", "strict": True, "schema": SCHEMA},
            },
        }  # fmt: skip
        try:
            completion = self._completed(request)
            with self._lock:
                self._refused_logins = 0
            return understood(completion)
        except self.openai.AuthenticationError as error:
            with self._lock:
                self._refused_logins += 1
            return Answer("error", raw=f"login refused: {error}")
        except Exception as error:  # the client's own, and whatever a server sent that no parser expected
            return Answer("error", raw=f"{type(error).__name__}: {error}")

    def _completed(self, request: Mapping[str, Any]) -> Any:
        """The completion; options that the server names as unknown are left out from then on."""
        for _ in range(len(OPTIONAL) + 2):
            with self._lock:
                options = dict(self._options)
            try:
                return self.client.chat.completions.create(**request, **options)
            except self.openai.BadRequestError as error:
                named = [name for name in options if name in str(error)]
                if not named:
                    raise
                with self._lock:
                    self._without(named[0])
        raise self.openai.OpenAIError("the server refuses one option after the other")

    def _without(self, name: str) -> None:
        value = self._options.pop(name, None)
        if value is not None:
            self._dropped.append(name)
        if name == "max_completion_tokens" and "max_tokens" not in self._dropped:
            self._options["max_tokens"] = OPTIONAL["max_completion_tokens"]

    @property
    def dropped(self) -> list[str]:
        """Options that the server did not take."""
        return list(self._dropped)


def rubric(concept: Concept) -> str:
    """The questions about a concept: what every score means, evidence before the score, and what remains."""
    anchors = dict(concept.rubric) or {
        "0": f"nothing of: {concept.text}",
        "25": "a faint trace of it",
        "50": "something that may be it",
        "75": "it, but weak, malformed or partly hidden",
        "100": f"clearly and fully: {concept.text}",
    }
    scale = "\n".join(f"{score}: {meaning}" for score, meaning in anchors.items())
    return (
        f"You rate how strongly a generated picture shows this: {concept.text}.\n"
        f"Scale from 0 to 100; numbers in between are welcome:\n{scale}\n"
        "First say in one sentence what in the picture speaks for or against it (evidence), then whether it shows it "
        "(verdict: yes, partly or no), then the score. Then, from 0 to 100, how clearly something broken is visible "
        "(remains): a part of a thing left over, a ghost, a smear, something half faded or mixed up; 0 where all there "
        "is looks whole, whatever it is. Judge only what is visible. Answer with JSON: "
        '{"evidence": "...", "verdict": "...", "score": 0, "remains": 0}'
    )


def png(image: np.ndarray) -> bytes:
    """A picture as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def expected_tokens(pictures: int, side: int, concepts: Sequence[Concept]) -> tuple[int, int]:
    """Rough number of input and output tokens for pictures of a side in pixels.

    A picture counts ceil(side / 32)² patches of 2.46 tokens, capped at 1536 patches, as for OpenAI's small models;
    other servers count otherwise. Text counts four letters a token, an answer 120 tokens with its reasoning.
    """
    patches = min(1536, math.ceil(side / 32) ** 2)
    question = max(len(rubric(concept)) for concept in concepts) / 4
    return round(pictures * (patches * 2.46 + question)), pictures * 120
