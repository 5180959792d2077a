"""HTTP as bytes on a socket: what no client library would send, and replies as they came."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Answer", "connected", "exchange", "read_answer", "request"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply: status 0 where the server closed without one; `closed` where it closed after it; seconds it took."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def connected(url: str, timeout: float = 20.0) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname is not None
    return socket.create_connection((parts.hostname, parts.port), timeout)


def request(method: str, target: str, *headers: str, body: bytes | None = None, host: str = "localhost") -> bytes:
    """The bytes of a request; `target` is sent as it is."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def exchange(url: str, data: bytes, *, timeout: float = 20.0) -> Answer:
    """Send bytes on a connection of their own, and read what comes back."""
    with connected(url, timeout) as connection:
        try:
            connection.sendall(data)
        except ConnectionError:
            pass  # refused before all of it was sent
        return read_answer(connection, head=data.startswith(b"HEAD"))


def read_answer(connection: socket.socket, *, head: bool = False) -> Answer:
    """Read one reply, and look whether the server has closed the connection behind it."""
    started = time.monotonic()
    data = b""
    closed = False
    while b"\r\n\r\n" not in data:
        chunk = _received(connection)
        if not chunk:
            return Answer(0, {}, data, True, time.monotonic() - started)
        data += chunk
    top, _, body = data.partition(b"\r\n\r\n")
    status_line, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    status = int(status_line.split()[1])
    if status == 100:
        return Answer(status, headers, body, False, time.monotonic() - started)
    length = 0 if head or status in (204, 304) else int(headers.get("content-length", 0))
    while len(body) < length:
        chunk = _received(connection)
        if not chunk:
            closed = True
            break
        body += chunk
    if headers.get("connection") == "close" and not closed:
        closed = not _received(connection)
    return Answer(status, headers, body, closed, time.monotonic() - started)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""
