"""A line to a PostgreSQL server that loses requests and replies, as the line of `client.proxy` does for HTTP."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

from client.proxy import Losses
from client.scripted import serving
from with_postgres.servers import Server

__all__ = ["Cutter"]

TLS, ENCRYPTION = 80877103, 80877104  # what a client may ask for instead of saying which version it speaks
PARTS = (b"P", b"B", b"D", b"E", b"C")  # parse, bind, describe, execute, close: a request goes on after them
ENDS = (b"Q", b"S")  # query, sync: the server answers these with ready-for-query
COMPLETE, READY = b"C", b"Z"

_Wanted = list[tuple[bytes, threading.Event]]


class Cutter:
    """A line between clients and a server, that does as it is told from any thread.

    A request that is lost never reaches the server; a lost reply is one to a request that the server has completed.
    Either way its connection is cut. `chance` is how many of all round trips lose one or the other, and may be changed
    at any time. Nothing on the line is encrypted, and it leads to the first host of the server's URL.

    Example:
        with Cutter(server, chance=0.1) as line:
            store = PostgresStore(line.url())
    """

    def __init__(self, server: Server, *, chance: float = 0.0, seed: int = 0) -> None:
        self.chance = chance
        self.refusing = False  # cut what connects
        self.losses = Losses()
        self.connections = 0
        self.sent = 0  # bytes from clients that the server got
        self.received = 0  # bytes from the server that clients got
        self.port = 0
        self.server = server
        self.requests_pass = asyncio.Event()
        self.replies_pass = asyncio.Event()
        self._dice = random.Random(seed)
        self._requests_to_lose: _Wanted = []
        self._replies_to_lose: _Wanted = []
        self._sessions: set[_Session] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Cutter:
        self.release()
        self.port = self._stack.enter_context(serving(self._talk))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def url(self, database: str | None = None, **options: object) -> str:
        """The server's URL of a database, over this line."""
        direct = self.server.url(database, **options)
        place = urlsplit(direct).netloc
        user, at, _ = place.rpartition("@")
        return direct.replace(place, f"{user}{at}127.0.0.1:{self.port}", 1)

    def cut(self) -> None:
        """Cut every connection now."""
        self._do(self._cut_all)

    def hold(self, *, requests: bool = True) -> None:
        """Let nothing through until `release`; with `requests=False` only nothing of what the server says."""
        self._do(self.replies_pass.clear)
        if requests:
            self._do(self.requests_pass.clear)

    def release(self) -> None:
        """Let through what was held, and what comes."""
        self._do(self.requests_pass.set)
        self._do(self.replies_pass.set)

    def lose_request(self, text: str) -> threading.Event:
        """Lose the next request that has this text in it; the event is set when that is done."""
        self._requests_to_lose.append((text.encode(), lost := threading.Event()))
        return lost

    def lose_reply(self, tag: str) -> threading.Event:
        """Lose the next reply that says COMMIT, INSERT or what else was done; the event is set when that is done."""
        self._replies_to_lose.append((tag.encode(), lost := threading.Event()))
        return lost

    def fate_of_request(self, request: bytes) -> str:
        """What becomes of a request: "passes", "lost", or "unanswered"."""
        if (lost := _found(self._requests_to_lose, lambda text: text in request)) is not None:
            lost.set()
            return "lost"
        fate = self._dice.random()
        if fate >= self.chance:
            return "passes"
        return "lost" if fate < self.chance / 2 else "unanswered"

    def loses(self, completed: bytes) -> threading.Event | None:
        """The event to set once the reply is lost that says that a command is done; None where it passes."""
        return _found(self._replies_to_lose, completed.startswith)

    def _cut_all(self) -> None:
        for session in self._sessions:
            session.cut()

    def _do(self, act: Callable[[], object]) -> None:
        async def run() -> None:
            act()

        if self._loop is None:
            act()
        else:
            asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._loop = asyncio.get_running_loop()
        self.connections += 1
        address = urlsplit(self.server.url())
        try:
            if self.refusing:
                return
            far_reader, far_writer = await asyncio.open_connection(address.hostname, address.port)
            session = _Session(self, reader, writer, far_reader, far_writer)
            self._sessions.add(session)
            try:
                await session.run()
            finally:
                self._sessions.discard(session)
                far_writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


class _Session:
    """One connection over a line."""

    def __init__(
        self,
        line: Cutter,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        self._line = line
        self._reader = reader
        self._writer = writer
        self._far_reader = far_reader
        self._far_writer = far_writer
        self._unanswered = False

    def cut(self) -> None:
        self._writer.transport.abort()
        self._far_writer.transport.abort()

    async def run(self) -> None:
        """Pass messages on in both directions until one of them ends."""
        await self._begin()
        async with asyncio.TaskGroup() as pumps:
            up = pumps.create_task(self._pass_requests())
            down = pumps.create_task(self._pass_replies())
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            up.cancel()
            down.cancel()

    async def _begin(self) -> None:
        while True:
            size = await self._reader.readexactly(4)
            body = await self._reader.readexactly(int.from_bytes(size) - 4)
            await self._line.requests_pass.wait()
            if int.from_bytes(body[:4]) not in (TLS, ENCRYPTION):
                return self._send(size + body)
            self._writer.write(b"N")

    async def _pass_requests(self) -> None:
        parts: list[bytes] = []
        while (message := await _message(self._reader)) is not None:
            parts.append(message)
            if message[:1] in PARTS:
                continue
            request = b"".join(parts)
            parts.clear()
            await self._line.requests_pass.wait()
            fate = self._line.fate_of_request(request) if message[:1] in ENDS else "passes"
            if fate == "lost":
                self._line.losses.requests += 1
                return
            self._unanswered |= fate == "unanswered"
            self._send(request)

    async def _pass_replies(self) -> None:
        lost = None
        while (message := await _message(self._far_reader)) is not None:
            if message[:1] == COMPLETE and lost is None:
                lost = self._line.loses(message[5:])
                self._unanswered |= lost is not None
            if not self._unanswered:
                await self._line.replies_pass.wait()
                self._line.received += len(message)
                self._line.losses.passed += message[:1] == READY
                self._writer.write(message)
            elif message[:1] == READY:  # not before: a server may say that it is done, and then commit
                self._line.losses.replies += 1
                if lost is not None:
                    lost.set()
                return

    def _send(self, data: bytes) -> None:
        self._line.sent += len(data)
        self._far_writer.write(data)


def _found(wanted: _Wanted, fits: Callable[[bytes], bool]) -> threading.Event | None:
    for number, (text, event) in enumerate(wanted):
        if fits(text):
            del wanted[number]
            return event
    return None


async def _message(reader: asyncio.StreamReader) -> bytes | None:
    """The next message with its kind and its size in front; None where the connection has ended."""
    try:
        head = await reader.readexactly(5)
        return head + await reader.readexactly(int.from_bytes(head[1:]) - 4)
    except (asyncio.IncompleteReadError, OSError):
        return None
