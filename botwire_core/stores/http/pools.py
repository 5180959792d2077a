"""Connections that the threads of one process share and keep.

Rejected: httpx.Client and httpcore's own pool, which take 130 and 40 microseconds more for each request and hold a
lock, that a child would inherit locked if another thread held it at `os.fork()`. To take from a deque is atomic.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import httpcore

from botwire_core.records import record
from botwire_core.stores.http.addresses import Endpoint
from botwire_core.stores.http.exchanges import Ask
from botwire_core.stores.http.incoming import Incoming, header_map, no_answer
from botwire_core.stores.http.network import SocketStream, connect
from botwire_core.stores.http.requests import Requests

__all__ = ["BROKEN", "IDLE_SECONDS", "KEPT", "Pool"]

KEPT: Final = 100
"""How many idle connections to a server are kept."""
IDLE_SECONDS: Final = 9.0
"""Less than the ten after which our server closes a connection on which nothing comes."""
BROKEN: Final = (OSError, httpcore.ProtocolError)
"""What goes wrong on a line; a timeout is an OSError too."""


@record
class _Line:
    connection: httpcore.HTTP11Connection
    stream: SocketStream
    home: deque[_Line]
    """Where it waits for its next use; not there any more where the pool was closed meanwhile."""


class Pool:
    """Connections for any number of threads; the one that was used last is used next."""

    def __init__(self, requests: Requests, context: Callable[[], ssl.SSLContext]) -> None:
        self._requests = requests
        self._context = context
        self._idle: dict[Endpoint, deque[_Line]] = {}

    def open(self, ask: Ask, endpoint: Endpoint, seconds: float) -> Incoming:
        """Send a request and give the answer as it begins.

        Raises:
            NotSent, NoAnswer: there is none.
        """
        deadline = time.monotonic() + seconds
        request = self._requests.core(ask, endpoint)
        line = self._take(endpoint) or self._connect(endpoint, deadline)
        line.stream.deadline = deadline
        try:
            response = line.connection.handle_request(request)
        except BROKEN as error:
            raise no_answer(error) from error
        except BaseException:
            line.connection.close()
            raise

        def close() -> None:
            response.close()
            self._give_back(endpoint, line)

        def extend(seconds: float) -> None:
            line.stream.deadline = time.monotonic() + seconds

        return Incoming(response.status, header_map(response.headers), _pieces(response), close, extend)

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        idle, self._idle = self._idle, {}
        for lines in list(idle.values()):
            while line := _popped(lines):
                line.connection.close()

    def _take(self, endpoint: Endpoint) -> _Line | None:
        lines = self._idle.get(endpoint)
        while lines and (line := _popped(lines)):
            if not line.connection.has_expired():
                return line
            line.connection.close()
        return None

    def _connect(self, endpoint: Endpoint, deadline: float) -> _Line:
        home = self._idle.setdefault(endpoint, deque())
        stream = connect(endpoint, deadline, self._context() if endpoint.scheme == "https" else None)
        connection = httpcore.HTTP11Connection(self._requests.origin(endpoint), stream, IDLE_SECONDS)
        return _Line(connection, stream, home)

    def _give_back(self, endpoint: Endpoint, line: _Line) -> None:
        if not line.connection.is_idle():
            line.connection.close()
            return
        line.home.append(line)
        # Looked at afterwards: whoever closes the pool in between finds the line, or is found out here.
        if self._idle.get(endpoint) is not line.home or len(line.home) > KEPT:
            with contextlib.suppress(IndexError):
                line.home.popleft().connection.close()


def _pieces(response: httpcore.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_stream()
    except BROKEN as error:
        raise no_answer(error) from error


def _popped(lines: deque[_Line]) -> _Line | None:
    try:
        return lines.pop()
    except IndexError:
        return None  # another thread was quicker
