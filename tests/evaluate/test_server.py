"""Whether a server may be asked; the judge's tests ask it."""

import pytest

from steering.errors import SteeringError
from steering.evaluate.server import OTHER_KEY_VARIABLE, check_server, client_of, is_local


@pytest.mark.parametrize("url", ["http://localhost:11434/v1", "http://127.0.0.1/v1", "http://[::1]:8000/v1"])
def test_servers_of_this_machine_need_no_consent(url):
    assert is_local(url)
    check_server(url, False, "llm", "it matters")


@pytest.mark.parametrize(
    "url", ["localhost", "ftp://localhost/v1", "http://me:pw@localhost/v1", "http://localhost/?key=1"]
)
def test_addresses_that_are_none_or_hold_a_secret_are_refused(url):
    with pytest.raises(SteeringError, match="--llm-url must be http://HOST/PATH"):
        check_server(url, True, "llm", "it matters")


def test_a_server_elsewhere_needs_consent_and_a_key(monkeypatch):
    pytest.importorskip("openai")
    monkeypatch.delenv(OTHER_KEY_VARIABLE, raising=False)
    with pytest.raises(
        SteeringError, match=r"the judge at https://x\.example/v1 is not on this machine, and it matters"
    ):
        check_server("https://x.example/v1", False, "judge", "it matters")
    check_server("https://x.example/v1", True, "judge", "it matters")
    with pytest.raises(SteeringError, match=f"needs its key in the environment variable {OTHER_KEY_VARIABLE}"):
        client_of("https://x.example/v1", 0, 1.0, "judge")
    monkeypatch.setenv(OTHER_KEY_VARIABLE, "secret")
    assert client_of("https://x.example/v1", 0, 1.0, "judge")[1] == ("secret",)
