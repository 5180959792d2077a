"""Connections that one event loop keeps."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

import httpcore

from botwire_core.records import record
from botwire_core.stores.http.addresses import Endpoint
from botwire_core.stores.http.exchanges import Ask, NotSent
from botwire_core.stores.http.incoming import AsyncIncoming, header_map, no_answer
from botwire_core.stores.http.network_async import AsyncSocketStream, aconnect
from botwire_core.stores.http.pools import BROKEN, IDLE_SECONDS, KEPT
from botwire_core.stores.http.requests import Requests
from botwire_core.stores.http.spool import Spool

__all__ = ["AsyncPool", "pieces_of"]

_AT_ONCE: Final = KEPT


@record
class _Line:
    connection: httpcore.AsyncHTTP11Connection
    stream: AsyncSocketStream
    home: deque[_Line]


class AsyncPool:
    """Connections of one event loop, at most a hundred at once; nobody but `close` uses it from elsewhere."""

    def __init__(self, requests: Requests, context: Callable[[], ssl.SSLContext]) -> None:
        self._requests = requests
        self._context = context
        self._idle: dict[Endpoint, deque[_Line]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def open(self, ask: Ask, endpoint: Endpoint, seconds: float) -> AsyncIncoming:
        """Send a request and give the answer as it begins.

        Raises:
            NotSent, NoAnswer: there is none.
        """
        line: _Line | None = None
        try:
            async with asyncio.timeout(seconds):
                await self._room.acquire()
                try:
                    line = self._take(endpoint) or await self._connect(endpoint)
                    body = pieces_of(ask.body) if isinstance(ask.body, Spool) else None
                    response = await line.connection.handle_async_request(self._requests.core(ask, endpoint, body))
                except BaseException:
                    self._room.release()
                    if line is not None:
                        line.stream.close()  # httpcore leaves it open where it is cancelled before it has begun
                    raise
        except BROKEN as error:
            if line is None:
                raise NotSent("no connection within the time there was") from error
            raise no_answer(error) from error

        async def close() -> None:
            try:
                await response.aclose()
            finally:
                self._room.release()
                self._give_back(endpoint, line)

        return AsyncIncoming(response.status, header_map(response.headers), _pieces(response), close)

    def close(self) -> None:
        """Close what is idle, at once and from any thread; what is in use is closed when it is given back."""
        idle, self._idle = self._idle, {}
        for lines in list(idle.values()):
            with contextlib.suppress(IndexError):
                while True:
                    lines.pop().stream.close()

    def _take(self, endpoint: Endpoint) -> _Line | None:
        lines = self._idle.get(endpoint)
        with contextlib.suppress(IndexError):
            while lines:
                line = lines.pop()
                if not line.connection.has_expired():
                    return line
                line.stream.close()
        return None

    async def _connect(self, endpoint: Endpoint) -> _Line:
        home = self._idle.setdefault(endpoint, deque())
        # To load the certificates that are trusted takes a while, the first time.
        context = await asyncio.to_thread(self._context) if endpoint.scheme == "https" else None
        stream = await aconnect(endpoint, context)
        connection = httpcore.AsyncHTTP11Connection(self._requests.origin(endpoint), stream, IDLE_SECONDS)
        return _Line(connection, stream, home)

    def _give_back(self, endpoint: Endpoint, line: _Line) -> None:
        if not line.connection.is_idle():
            line.stream.close()
            return
        line.home.append(line)
        if self._idle.get(endpoint) is not line.home or len(line.home) > KEPT:
            with contextlib.suppress(IndexError):
                line.home.popleft().stream.close()


async def _pieces(response: httpcore.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in response.aiter_stream():
            yield piece
    except BROKEN as error:
        raise no_answer(error) from error


async def pieces_of(spool: Spool) -> AsyncIterator[bytes]:
    """The pieces of a spool, read in a thread."""
    start = 0
    while piece := await asyncio.to_thread(spool.piece, start):
        yield piece
        start += len(piece)
