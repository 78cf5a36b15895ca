"""A language model that writes, on a real HTTP server on this machine."""

import json

import pytest

from steering.errors import SteeringError
from steering.evaluate.writer import NAME, SENTENCES, Writer, question_of

from ..concepts.test_material import answer
from ..conftest import steering
from .test_judge import serve  # noqa: F401 (a fixture)

pytest.importorskip("openai")


def asked(server, folder, word="umbrella"):
    return Writer("tiny", server.url, retries=0).ask(word, "object", False, folder)


def test_it_is_asked_once_and_its_answer_is_kept(serve, tmp_path):  # noqa: F811
    server = serve(lambda n, body: (200, json.dumps(answer())))
    assert asked(server, tmp_path) == asked(server, tmp_path) == answer()
    (request,) = server.requests
    assert request["model"] == "tiny"
    assert request["messages"][0]["content"] == question_of("umbrella", "object", False)
    assert request["response_format"]["json_schema"]["schema"]["required"] == ["siblings", "captions"]
    kept = json.loads((tmp_path / NAME).read_text(encoding="utf-8"))
    assert kept["answer"] == answer()
    asked(server, tmp_path, "kite")  # another question
    assert len(server.requests) == 2


def test_what_stands_around_the_answer_does_no_harm(serve, tmp_path):  # noqa: F811
    server = serve(lambda n, body: (200, f"Here you are:\n```json\n{json.dumps(answer())}\n```"))
    assert asked(server, tmp_path) == answer()


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (lambda n, body: (200, "I cannot do that."), "the llm's answer"),
        (lambda n, body: (200, '{"siblings": ['), "the llm's answer"),
        (lambda n, body: (500, "overloaded"), "gave no answer .*overloaded"),
        (lambda n, body: (401, "no such key"), "gave no answer .*no such key"),
        (lambda n, body: (401, "no Bearer abcdef here"), r"gave no answer .*no \[key\] here"),
    ],
)
def test_no_answer_is_an_error_and_nothing_is_kept(serve, tmp_path, behave, words):  # noqa: F811
    with pytest.raises(SteeringError, match=words):
        asked(serve(behave), tmp_path)
    assert not (tmp_path / NAME).exists()


def test_a_server_elsewhere_is_not_told_the_word_unasked():
    with pytest.raises(SteeringError, match=r"the llm at https://api.openai.com/v1 is not on this .* --llm-consent"):
        Writer("tiny")
    assert Writer("tiny", consent=True).model == "tiny"


def test_the_question_asks_for_adults_where_it_must():
    assert "adult" in question_of("nude", "attribute", True)
    assert "adult" not in question_of("umbrella", "object", False)
    assert str(SENTENCES) in question_of("umbrella", "object", False)


def test_the_command_writes_a_set_with_its_sentences(serve, tmp_path):  # noqa: F811
    server = serve(lambda n, body: (200, json.dumps(answer())))
    words = ("concept", "umbrella", "--out", tmp_path / "u", "--llm", "tiny", "--llm-url", server.url)
    said = steering(*words).stdout
    assert "of the language model's sentences 32 could be used" in said
    assert answer()["captions"][0]["with"] in (tmp_path / "u" / "fit.csv").read_text(encoding="utf-8")
    assert "already holds" in steering(*words, check=False).stderr
    assert len(server.requests) == 1
    steering(*words, "--force")
    assert len(server.requests) == 1
