"""A server that speaks OpenAI's protocol: whether it may be asked, and a client for it."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from ..errors import SteeringError
from .extras import extra
from .judge_transport import OPENAI, capped_transport

KEY_VARIABLE = "OPENAI_API_KEY"
OTHER_KEY_VARIABLE = "JUDGE_API_KEY"
"""Where the key of any other server is read from, so that OpenAI's is sent to nobody else."""


def check_server(base_url: str, consent: bool, option: str, what: str) -> None:
    """Refuse an address that is none or that holds a secret, and a server elsewhere that nobody agreed to.

    Args:
        base_url: the address.
        consent: whether what is sent may leave this machine.
        option: how the options are called that say all this: ``judge``, ``llm``.
        what: what would be sent, and why that may matter.
    """
    try:
        parts = urlsplit(base_url)
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        parts, plain = urlsplit(""), False
    if not plain or parts.username or parts.password or parts.query or parts.fragment:
        raise SteeringError(
            f"--{option}-url must be http://HOST/PATH or https://HOST/PATH, without a name, password or key in it; "
            f"keys are read from the environment variables {KEY_VARIABLE} (OpenAI) and {OTHER_KEY_VARIABLE}"
        )
    if not is_local(base_url) and not consent:
        raise SteeringError(
            f"the {option} at {base_url} is not on this machine, and {what}; say --{option}-consent to send them, or "
            f"name a server on localhost with --{option}-url"
        )


def is_local(base_url: str) -> bool:
    """Whether a server is on this machine."""
    return (urlsplit(base_url).hostname or "") in ("localhost", "127.0.0.1", "::1")


def client_of(base_url: str, retries: int, timeout: float, option: str) -> tuple[Any, tuple[str, ...]]:
    """A client for a server, and the secrets that it holds.

    Raises:
        SteeringError: openai is missing, or the server is elsewhere and the key is not in the environment.
    """
    openai, local = extra("openai", "judge"), is_local(base_url)
    variable = KEY_VARIABLE if base_url == OPENAI else OTHER_KEY_VARIABLE
    key = os.environ.get(variable, "")
    if not key and not local:
        raise SteeringError(f"the {option} at {base_url} needs its key in the environment variable {variable}")
    client = openai.OpenAI(
        base_url=base_url,
        api_key=key or "none",
        max_retries=retries,
        timeout=timeout,
        # No redirects, which would carry what is sent to a host that nobody agreed to.
        http_client=openai.DefaultHttpxClient(
            transport=capped_transport(base_url, timeout, local), follow_redirects=False
        ),
        default_headers={"Accept-Encoding": "identity"},
    )
    return client, (key,) if key else ()
