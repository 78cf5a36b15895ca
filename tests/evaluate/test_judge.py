"""The judge against a real HTTP server on this machine that misbehaves in every way that servers do."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from steering.concepts.prompts import Concept, Prompt, load_concept
from steering.evaluate.judge import Judge, JudgeSettings, expected_tokens, rubric
from steering.evaluate.metrics import Batch

pytest.importorskip("openai")

GOOD = json.dumps({"evidence": "ears", "verdict": "yes", "score": 83, "remains": 12})
DOG = Concept("dog", "a dog")


class Server(ThreadingHTTPServer):
    """Answers with what ``behave`` returns for the n-th request: (status, content or body, finish_reason)."""

    def __init__(self, behave):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave, self.requests, self.lock = behave, [], threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append(body)
            number = len(self.server.requests)
        status, content, *more = self.server.behave(number, body)
        message = {"role": "assistant", "content": content}
        if more and more[0] == "refusal":
            message = {"role": "assistant", "content": None, "refusal": content}
        finish = more[0] if more and more[0] != "refusal" else "stop"
        answer = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "tiny-2026",
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
        }
        data = json.dumps(answer if status == 200 else {"error": {"message": content, "type": "x"}}).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(behave):
        server = Server(behave)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def ask(serve, tmp_path):
    """Judge some pictures with a server that behaves so; returns columns, requests and the judge."""

    def run(behave, pictures=1, **settings):
        server = serve(behave)
        judge = Judge(JudgeSettings("tiny", server.url, workers=2, **settings), tmp_path / "cache")
        images = np.random.default_rng(0).integers(0, 255, (pictures, 16, 16, 3), dtype=np.uint8)
        columns = judge.measure(Batch(images, images, [Prompt("target", "a dog")] * pictures, DOG))
        return columns, server.requests, judge

    return run


def test_an_answer_is_a_score_with_its_model_and_the_raw_words(ask):
    columns, requests, _ = ask(lambda n, body: (200, GOOD))
    assert columns["judge_score"].tolist() == [83]
    assert columns["judge_remains"].tolist() == [12]
    assert (columns["judge_status"], columns["judge_verdict"], columns["judge_model"]) == (
        ["ok"],
        ["yes"],
        ["tiny-2026"],
    )
    assert columns["judge_raw"] == [GOOD]
    (part,) = [part for part in requests[0]["messages"][0]["content"] if part["type"] == "image_url"]
    assert part["image_url"]["url"].startswith("data:image/png;base64,")
    assert requests[0]["response_format"]["json_schema"]["schema"]["required"] == [
        *("evidence", "verdict", "score", "remains")
    ]
    assert len(requests[0]["messages"]) == 1  # one picture, and no word of which arm it is


def test_overload_is_waited_out(ask):
    columns, requests, _ = ask(lambda n, body: (429, "slow down") if n < 3 else (200, GOOD))
    assert columns["judge_status"] == ["ok"]
    assert len(requests) == 3


def test_a_server_that_keeps_failing_leaves_the_picture_missing_and_open(ask):
    columns, requests, judge = ask(lambda n, body: (500, "broken"), retries=1)
    assert columns["judge_status"] == ["error"]
    assert np.isnan(columns["judge_score"]).all()
    assert columns["unfinished"] == [True]
    assert len(requests) == 2
    assert not judge.cache.exists()


def test_options_that_a_server_does_not_take_are_left_out_from_then_on(ask):
    def behave(n, body):
        for name in ("temperature", "max_completion_tokens"):
            if name in body:
                return 400, f"Unsupported parameter: '{name}'"
        return 200, GOOD

    columns, requests, judge = ask(behave, pictures=3)
    assert columns["judge_status"] == ["ok"] * 3
    assert judge.dropped == ["temperature", "max_completion_tokens"]
    assert requests[-1]["max_tokens"] == 600


def test_other_bad_requests_are_not_tried_again(ask):
    columns, requests, _ = ask(lambda n, body: (400, "no such model"))
    assert columns["judge_status"] == ["error"]
    assert len(requests) == 1


@pytest.mark.parametrize("wrapped", ["```json\n{}\n```", '<think>score 3? {{"score": 3}}</think>{}', "Sure! {} Bye."])
def test_json_is_found_in_its_wrapping(ask, wrapped):
    answer = wrapped.replace("{}", GOOD).replace("{{", "{").replace("}}", "}")
    assert ask(lambda n, body: (200, answer))[0]["judge_score"].tolist() == [83]


@pytest.mark.parametrize(
    "said",
    [
        "The score is 83.",
        "",
        '{"score": "83"}',
        '{"score": true}',
        '{"score": 101}',
        '{"verdict": "yes"}',
        "<think>" + GOOD,
    ],
)
def test_anything_else_is_an_error_and_no_number_is_picked_out_of_prose(ask, said):
    columns, _, _ = ask(lambda n, body: (200, said))
    assert columns["judge_status"] == ["error"]
    assert np.isnan(columns["judge_score"]).all()


def test_an_answer_cut_short_is_an_error_even_if_it_parses(ask):
    assert ask(lambda n, body: (200, GOOD, "length"))[0]["judge_status"] == ["error"]


@pytest.mark.parametrize("how", ["refusal", "content_filter"])
def test_a_refusal_is_missing_and_neither_zero_nor_asked_again(ask, how):
    columns, _, _ = ask(lambda n, body: (200, "I cannot", how))
    assert columns["judge_status"] == ["refused"]
    assert np.isnan(columns["judge_score"]).all()
    assert columns["unfinished"] == [False]


def test_nothing_is_asked_twice(ask, serve, tmp_path):
    _, requests, judge = ask(lambda n, body: (200, GOOD), pictures=4)
    assert len(requests) == 4
    images = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), dtype=np.uint8)
    again = judge.measure(Batch(images, images, [Prompt("target", "a dog")] * 4, DOG))
    assert len(requests) == 4
    assert again["judge_score"].tolist() == [83] * 4
    # Another question is another answer.
    judge.ask(images[0], Concept("cat", "a cat"))
    assert len(requests) == 5


def test_after_refused_logins_the_rest_is_not_tried(ask):
    columns, requests, _ = ask(lambda n, body: (401, "bad key"), pictures=12)
    assert columns["judge_status"] == ["error"] * 12
    assert len(requests) < 6  # three in a row, and what two workers had under way


def test_a_limit_is_kept(ask):
    columns, requests, _ = ask(lambda n, body: (200, GOOD), pictures=5, limit=2)
    assert len(requests) == 2
    assert columns["judge_status"].count("ok") == 2


def test_a_server_elsewhere_needs_consent_and_a_key(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueError, match="--judge-consent"):
        JudgeSettings("m")
    with pytest.raises(ValueError, match="--judge-consent"):
        JudgeSettings("m", "http://localhost.example.com/v1")
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        Judge(JudgeSettings("m", consent=True), tmp_path)
    assert JudgeSettings("m", "http://localhost:11434/v1").local


def test_a_server_on_this_machine_is_reached_without_a_proxy_and_gets_no_key_of_openais(ask, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    columns, _, judge = ask(lambda n, body: (200, GOOD))
    assert columns["judge_status"] == ["ok"]
    assert judge.client.api_key == "none"
    assert Judge(JudgeSettings("m", consent=True), judge.cache).client.base_url.host == "api.openai.com"


def test_every_concept_of_the_study_has_a_rubric_of_its_own():
    questions = {rubric(load_concept(name, "sd15")) for name in ("dog", "nudity", "violence", "van_gogh")}
    assert len(questions) == 4
    for question in questions:
        assert all(f"\n{score}: " in question for score in (0, 25, 50, 75, 100))


def test_tokens_are_estimated_by_size():
    small, large = (expected_tokens(10, side, [DOG])[0] for side in (128, 512))
    assert small < large < 10 * 1200


def test_the_key_is_never_written(ask, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("JUDGE_API_KEY", "sk-secret")
    _, _, judge = ask(lambda n, body: (200, GOOD))
    assert judge.client.api_key == "sk-secret"
    assert "sk-secret" not in json.dumps(judge.identity())
    assert all("sk-secret" not in path.read_text(encoding="utf-8") for path in Path(judge.cache).iterdir())
