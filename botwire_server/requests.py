"""A request as the server sees it: what its headers say, read once and strictly."""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

from botwire_core.errors import InvalidValueError, UnauthorizedError
from botwire_server.refusals import RefusedError

__all__ = [
    "CLOSE",
    "MAX_HEADER_BYTES",
    "Headers",
    "Pairs",
    "Receive",
    "Request",
    "Scope",
    "Send",
    "id_of",
    "query_of",
    "read_headers",
]

Scope: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[None]]
Pairs: TypeAlias = list[tuple[bytes, bytes]]
"""Headers as ASGI has them: names in small letters, values as they came."""
Headers: TypeAlias = Mapping[bytes, bytes]
"""Headers by name, once `read_headers` has looked at them."""

MAX_HEADER_BYTES: Final = 32 * 1024
"""Of the values of all headers of a request."""
CLOSE: Final = ((b"connection", b"close"),)
"""What a reply says where nobody can tell where the next request on the connection begins."""

_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_ONCE: Final = frozenset({b"host", b"content-length", b"content-type", b"transfer-encoding", b"idempotency-key"})
_MOST_PARAMETERS: Final = 16


class Request:
    """One request; a plain class with slots, since one is made for each."""

    __slots__ = (
        "answered",
        "clocks",
        "headers",
        "id",
        "identity",
        "method",
        "namespace",
        "pairs",
        "path",
        "peer",
        "query",
        "receive",
        "route",
    )

    def __init__(self, scope: Scope, receive: Receive, clocks: set[asyncio.Timeout] | None = None) -> None:
        self.method: str = scope["method"]
        self.path: bytes = scope["raw_path"]
        self.query: bytes = scope["query_string"]
        self.pairs: Pairs = scope["headers"]
        client = scope.get("client")
        self.peer: str = client[0] if client else ""
        self.receive = receive
        self.clocks = set() if clocks is None else clocks
        self.headers: Headers = {}
        self.id = b""
        self.identity: Any = None
        self.route = "(none)"
        self.namespace = ""
        self.answered = (500, 0)


def read_headers(pairs: Pairs) -> dict[bytes, bytes]:
    """The headers by name.

    Raises:
        RefusedError: there are too many bytes of them, or they leave open where the request ends or to whom it goes.
        UnauthorizedError: there are two tokens.
    """
    headers = dict(pairs)
    if len(headers) != len(pairs):
        _refuse_ambiguity(pairs)
    if b"transfer-encoding" in headers and (
        b"content-length" in headers or headers[b"transfer-encoding"].strip().lower() != b"chunked"
    ):
        # What a proxy in front reads in another way than we do is how one request is smuggled inside of another.
        raise RefusedError(400, "bad_request", "the length of the body is told in two ways", headers=CLOSE)
    if sum(map(len, headers.values())) > MAX_HEADER_BYTES:
        raise RefusedError(
            431, "headers_too_large", f"the headers have more than {MAX_HEADER_BYTES:,} bytes", headers=CLOSE
        )
    return headers


def _refuse_ambiguity(pairs: Pairs) -> None:
    seen: set[bytes] = set()
    for name, _ in pairs:
        if name in seen:
            if name == b"authorization":
                raise UnauthorizedError("there are two Authorization headers", hint="send one token")
            if name in _ONCE:
                raise RefusedError(400, "bad_request", f"there are two headers {name.decode('latin-1')}", headers=CLOSE)
        seen.add(name)


_prefix = secrets.token_hex(5).encode()
_numbers = itertools.count(1)


def id_of(headers: Headers) -> bytes:
    """The id by which a request is found again in logs: the client's, if it is short and plain, else a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and _ID.fullmatch(given):
        return given
    return b"%s-%x" % (_prefix, next(_numbers))


def query_of(request: Request, *known: str) -> dict[str, str]:
    """The parameters after the question mark.

    Raises:
        InvalidValueError: one is unknown, comes twice, or is not UTF-8.
    """
    if not request.query:
        return {}
    try:
        pairs = parse_qsl(
            request.query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError as error:
        raise InvalidValueError("the query is not UTF-8 in percent-encoding") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise InvalidValueError(
                f"the parameter {ascii(name)[:40]} is unknown", hint=f"known are {', '.join(known)}"
            )
        if name in found:
            raise InvalidValueError(f"the parameter {name} comes twice")
        found[name] = value
    return found
