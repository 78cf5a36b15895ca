"""How a judge's server is reached: no answer is read without end, in bytes or in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .extras import extra

OPENAI = "https://api.openai.com/v1"
"""The server that is asked where none is named."""
MOST_BYTES = 1 << 20
"""Of an answer, which is a few hundred letters."""


def _httpx() -> Any:
    """The HTTP library that the client is made of: httpx, or httpx2 from some version on."""
    bases = extra("openai", "judge").DefaultHttpxClient.__mro__
    return import_module(next(root for base in bases if (root := base.__module__.split(".")[0]).startswith("httpx")))


def capped_transport(base_url: str, seconds: float, local: bool) -> Any:
    """An httpx transport whose answers end, with an httpx error, at `MOST_BYTES` or after some seconds in all.

    A compressed answer is refused, since a small one can grow without bound. The environment's proxies are used but
    for a server on this machine, from which pictures would leave it after all.
    """
    httpx = _httpx()

    class Capped(httpx.SyncByteStream):
        def __init__(self, stream: Any, until: float) -> None:
            self.stream, self.until = stream, until

        def __iter__(self) -> Iterator[bytes]:
            read = 0
            for part in self.stream:
                read += len(part)
                if read > MOST_BYTES:
                    raise httpx.ReadError(f"the answer is longer than {MOST_BYTES} bytes")
                if time.monotonic() > self.until:
                    raise httpx.ReadTimeout(f"the answer took longer than {seconds:g} seconds in all")
                yield part

        def close(self) -> None:
            self.stream.close()

    class Transport(httpx.HTTPTransport):
        def handle_request(self, request: Any) -> Any:
            until = time.monotonic() + seconds
            response = super().handle_request(request)
            if response.headers.get("content-encoding", "identity") != "identity":
                response.close()
                raise httpx.ReadError("the answer is compressed, which was not asked for")
            response.stream = Capped(response.stream, until)
            return response

    parts = urlsplit(base_url)
    unproxied = local or proxy_bypass(parts.hostname or "")
    return Transport(proxy=None if unproxied else getproxies().get(parts.scheme), trust_env=not local)
