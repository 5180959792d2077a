"""Replies: a status, headers and a body; and errors as replies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from botwire_core.errors import BotWireError
from botwire_core.wire.problems import Problem, problem, problem_of
from botwire_core.wire.text import dump
from botwire_server.refusals import RefusedError
from botwire_server.requests import Pairs, Receive, Send

__all__ = ["BASE_HEADERS", "JSON_HEADERS", "Reply", "Streamed", "json_reply", "problem_members", "problem_reply"]

BASE_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"cache-control", b"no-store"),
    (b"vary", b"Authorization"),
    (b"x-content-type-options", b"nosniff"),
)
"""What every reply carries: nothing of it is kept by anybody on the way, or taken for what it is not."""
JSON_HEADERS: Final = ((b"content-type", b"application/json"), *BASE_HEADERS)
_PROBLEM_HEADERS: Final = ((b"content-type", b"application/problem+json"), *BASE_HEADERS)

Reply: TypeAlias = tuple[int, Pairs, bytes]
"""Status, headers without length and request id, body."""


class Streamed:
    """A reply whose body is sent piece by piece: `send` does it, and gives the bytes that it sent."""

    __slots__ = ("headers", "send")

    def __init__(self, headers: Pairs, send: Callable[[Receive, Send], Awaitable[int]]) -> None:
        self.headers = headers
        self.send = send


def json_reply(value: Any, status: int = 200, headers: Pairs | None = None) -> Reply:
    """A reply whose body is a value as JSON."""
    return status, [*JSON_HEADERS, *(headers or ())], dump(value)


def problem_reply(error: BotWireError, request_id: bytes, index: int | None = None) -> Reply:
    """The reply that tells an error; `index` is that of the op in a list that it is about."""
    found = _problem(error, request_id.decode(), index)
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in found.headers.items()]
    if isinstance(error, RefusedError):
        headers += error.headers
    return found.status, [*_PROBLEM_HEADERS, *headers], dump(found.members)


def problem_members(error: BotWireError, request_id: bytes, index: int | None = None) -> dict[str, Any]:
    """An error as a part of a larger reply."""
    return _problem(error, request_id.decode(), index).members


def _problem(error: BotWireError, request_id: str, index: int | None) -> Problem:
    if not isinstance(error, RefusedError):
        return problem_of(error, request_id, index=index)
    title = HTTPStatus(error.status).phrase
    return problem(
        error.status, error.code, title, error.message, request_id, hint=error.hint, retryable=error.retryable
    )
