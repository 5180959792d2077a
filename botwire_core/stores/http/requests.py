"""Requests as the clients want them: with all their headers, each built as cheaply as it can be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpcore

from botwire_core.stores.http.addresses import Endpoint
from botwire_core.stores.http.exchanges import Ask

__all__ = ["Requests"]


class Requests:
    """Makes the requests of one store; the token is in them and in nothing else."""

    def __init__(self, token: str | None, agent: str) -> None:
        self._token = token
        self._agent = agent
        self._fixed: dict[Endpoint, tuple[list[tuple[bytes, bytes]], httpcore.Origin]] = {}

    def __repr__(self) -> str:
        return "Requests()"

    def origin(self, endpoint: Endpoint) -> httpcore.Origin:
        """Where a server is, as httpcore names it."""
        return self._known(endpoint)[1]

    def core(self, ask: Ask, endpoint: Endpoint, body: Any = None) -> httpcore.Request:
        """A request for httpcore; `body` in place of that of `ask`, where it comes in pieces of another kind."""
        headers, origin = self._known(endpoint)
        url = httpcore.URL(
            scheme=origin.scheme, host=origin.host, port=origin.port, target=(endpoint.path + ask.path).encode("ascii")
        )
        return httpcore.Request(
            ask.method, url, headers=headers + self._own(ask), content=ask.body if body is None else body
        )

    def headers(self, ask: Ask, endpoint: Endpoint) -> list[tuple[bytes, bytes]]:
        """All headers but the Host, for httpx."""
        return self._known(endpoint)[0][1:] + self._own(ask)

    def _own(self, ask: Ask) -> list[tuple[bytes, bytes]]:
        own = [(name.encode("ascii"), value.encode("ascii")) for name, value in ask.headers]
        if ask.body is not None:
            size = len(ask.body) if isinstance(ask.body, bytes) else ask.body.size
            own.append((b"Content-Type", ask.content_type.encode("ascii")))
            own.append((b"Content-Length", b"%d" % size))
        if ask.key is not None:
            own.append((b"Idempotency-Key", ask.key.encode("ascii")))
        return own

    def _known(self, endpoint: Endpoint) -> tuple[list[tuple[bytes, bytes]], httpcore.Origin]:
        known = self._fixed.get(endpoint)
        if known is None:
            headers: Iterable[tuple[str, str | None]] = (
                ("Host", endpoint.authority),
                ("User-Agent", self._agent),
                ("Accept-Encoding", "identity"),
                ("Authorization", endpoint.login if self._token is None else f"Bearer {self._token}"),
            )
            origin = httpcore.Origin(endpoint.scheme.encode(), endpoint.host.encode("ascii"), endpoint.port)
            known = [(name.encode(), value.encode()) for name, value in headers if value is not None], origin
            self._fixed[endpoint] = known
        return known
