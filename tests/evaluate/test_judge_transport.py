"""Servers that answer with what no judge would: each picture is then missing, and the next one is asked about."""

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from steering.concepts.prompts import Concept
from steering.errors import SteeringError
from steering.evaluate.judge import Judge, JudgeSettings
from steering.evaluate.judge_transport import MOST_BYTES

pytest.importorskip("openai")

DOG, PICTURE = Concept("dog", "a dog"), np.zeros((8, 8, 3), np.uint8)
SECRET = "secret-of-this-test"


def completion(content):
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}


def good(score=83):
    return completion(json.dumps({"evidence": "ears", "verdict": "yes", "score": score}))


@pytest.fixture
def judge(tmp_path, monkeypatch):
    """A judge whose server answers with (status, headers, parts of the body), and the requests that it got."""
    monkeypatch.setenv("JUDGE_API_KEY", SECRET)
    servers = []

    def start(status, headers, parts, **settings):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.server.requests.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for part in parts(self) if callable(parts) else parts:
                        self.wfile.write(part)
                        self.wfile.flush()
                except OSError:  # the judge hung up
                    pass

            do_GET = do_POST

            def log_message(self, *_args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.requests = []
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        return Judge(JudgeSettings("m", url, retries=0, **settings), tmp_path / "cache"), server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


JSON = {"Content-Type": "application/json"}
DEEP = b'{"a":' * 2000 + b"1" + b"}" * 2000


def as_bytes(value):
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, {"Content-Type": "text/html"}, b"<html>hello</html>"),
        (200, JSON, b"<html>hello</html>"),
        (200, JSON, b"null"),
        (200, JSON, b"[]"),
        (200, JSON, b"{}"),
        (200, JSON, b""),
        (200, JSON, b"\xff\xfe\x00"),
        (200, JSON, DEEP),
        (200, JSON, as_bytes(completion(["a", "list"]))),
        (200, JSON, as_bytes(completion(7))),
        (200, JSON, as_bytes(completion(None))),
        (200, JSON, as_bytes({**good(), "choices": [None]})),
        (200, JSON, as_bytes({**good(), "choices": "x"})),
        (200, JSON, as_bytes(completion('{"a":' * 2000))),
        (200, JSON, as_bytes(completion('{"score": ' + "9" * 5000 + "}"))),
        (200, JSON, as_bytes(completion('{"score": 1e9}'))),
        (200, JSON, as_bytes(completion('{"score": NaN}'))),
        (204, JSON, b""),
        (500, JSON, b"\xff"),
        (403, JSON, DEEP),
    ],
)
def test_an_odd_answer_is_a_missing_picture(judge, status, headers, body):
    asking, _ = judge(status, headers, [body])
    answer = asking.ask(PICTURE, DOG)
    assert answer.status == "error"
    assert np.isnan(answer.score)
    assert not list(Path(asking.cache).glob("*"))


def test_a_lone_surrogate_can_be_kept(judge):
    said = '{"evidence": "\\ud800", "verdict": "yes", "score": 10}'
    asking, _ = judge(200, JSON, [as_bytes(completion(said + "\ud800"))])
    answer = asking.ask(PICTURE, DOG)
    assert (answer.status, answer.score) == ("ok", 10)
    answer.raw.encode("utf-8")


def test_many_braces_take_no_time(judge):
    asking, _ = judge(
        200, JSON, [as_bytes(completion("{ " * 32_000 + '{"score": 5, "verdict": "no", "evidence": ""}'))]
    )
    started = time.monotonic()
    assert asking.ask(PICTURE, DOG).score == 5
    assert time.monotonic() - started < 5  # nine seconds once; milliseconds now


def test_an_endless_answer_ends(judge):
    asking, _ = judge(200, JSON, lambda _: (b" " * 65536 for _ in iter(int, 1)))
    assert asking.ask(PICTURE, DOG).status == "error"


def test_a_dripping_answer_ends_in_time(judge):
    def drip(_):
        for _ in range(100):
            time.sleep(0.1)
            yield b" "

    asking, _ = judge(200, JSON, drip, timeout=0.5)
    started = time.monotonic()
    assert asking.ask(PICTURE, DOG).status == "error"
    assert time.monotonic() - started < 5  # of the ten seconds that it would take


def test_a_small_answer_that_grows_is_not_unpacked(judge):
    bomb = gzip.compress(b" " * (20 * MOST_BYTES))
    asking, _ = judge(200, {**JSON, "Content-Encoding": "gzip", "Content-Length": str(len(bomb))}, [bomb])
    answer = asking.ask(PICTURE, DOG)
    assert answer.status == "error"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(judge, status):
    _, elsewhere = judge(200, JSON, [as_bytes(good())])
    place = {"Location": f"http://127.0.0.1:{elsewhere.server_port}/v1/chat/completions"}
    asking, _ = judge(status, {**JSON, **place}, [b"{}"])
    assert asking.ask(PICTURE, DOG).status == "error"
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, lambda: as_bytes({"error": {"message": f"bad header Authorization: Bearer {SECRET}"}})),
        (200, lambda: as_bytes(completion(f'{SECRET} {{"evidence": "{SECRET}", "verdict": "no", "score": 1}}'))),
        (200, lambda: as_bytes(completion(f"Bearer abc {SECRET} http://me:pw@host/x sk-abcdefghij"))),
    ],
)
def test_no_key_is_kept(judge, status, body):
    asking, _ = judge(status, JSON, [body()])
    answer = asking.ask(PICTURE, DOG)
    kept = json.dumps(answer.__dict__) + "".join(path.read_text() for path in Path(asking.cache).glob("*"))
    assert not any(word in kept for word in (SECRET, "Bearer abc", "me:pw", "sk-abc"))


@pytest.mark.parametrize(
    "url",
    [
        "http://user:pw@localhost/v1",
        "http://localhost/v1?api_key=T",
        "http://localhost/v1#T",
        "ftp://localhost/v1",
        "localhost:11434",
        "http://",
        "http://localhost:x/v1",
        "",
    ],
)
def test_an_address_holds_no_secret_and_is_one(url):
    with pytest.raises(SteeringError, match="--judge-url must be") as found:
        JudgeSettings("m", url, consent=True)
    assert "pw" not in str(found.value).replace("HOST/PATH", "")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"status": "ok", "score": 1e9}',
        '{"status": "ok", "score": "abc"}',
        '{"status": "ok", "score": NaN}',
        '{"status": "ok", "score": 5, "raw": 7}',
        '{"status": "ok", "score": 5, "more": 1}',
        '{"a":' * 3000,
    ],
)
def test_a_damaged_cache_is_a_miss(judge, content):
    asking, server = judge(200, JSON, [as_bytes(good())])
    assert asking.ask(PICTURE, DOG).score == 83
    (path,) = Path(asking.cache).glob("*.json")
    path.write_text(content)
    assert asking.ask(PICTURE, DOG).score == 83
    assert len(server.requests) == 2
    assert asking.ask(PICTURE, DOG).score == 83
    assert len(server.requests) == 2  # whole again
