"""A server that misbehaves as it is told: raw bytes, cut connections, silence."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from botwire_core.errors import BotWireError
from botwire_core.protocol import MISSING, Get, Op
from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.wire.ops import op_from_json
from botwire_core.wire.problems import problem_of
from botwire_core.wire.results import result_to_json
from botwire_core.wire.text import dump, parse


@dataclass(frozen=True)
class Got:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")


@dataclass(frozen=True)
class Cut:
    """Write this much, and close the connection."""

    data: bytes = b""


class Silence:
    """Answer nothing, until the client goes away."""


@dataclass(frozen=True)
class Drip:
    """Write a byte now and then, for ever."""

    data: bytes
    seconds: float = 0.02


Step: TypeAlias = bytes | Cut | Silence | Drip
Script: TypeAlias = Callable[[Got], Step]


@dataclass
class Scripted:
    """A running server: what came to it, and where it is."""

    script: Script
    port: int = 0
    got: list[Got] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def reply(
    value: object, status: int = 200, kind: str = "application/json", headers: dict[str, str] | None = None
) -> bytes:
    """A whole answer; `value` is written as JSON, bytes are taken as they are."""
    body = value if isinstance(value, bytes) else dump(value)
    lines = [f"HTTP/1.1 {status} Whatever", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines += [f"{name}: {text}" for name, text in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def result(value: object) -> bytes:
    """The answer to one op; where it is a value, also that of the route of one entry."""
    return reply({"results": [{"result": value}], **(value if isinstance(value, dict) else {})})


def problem(status: int, code: str, headers: dict[str, str] | None = None, **members: object) -> bytes:
    """An error as our server tells it."""
    told = {"code": code, "detail": f"it says {code}", "commit_unknown": False, **members}
    return reply(told, status, "application/problem+json", headers)


def in_turn(*steps: Step) -> Script:
    """One step after the other; the last of them for ever."""
    left = list(steps)
    return lambda got: left.pop(0) if len(left) > 1 else left[0]


def on_a_dict() -> Script:
    """A server that does what it is asked to, and remembers no Idempotency-Key."""
    return on(DictStore())


def on(store: Store) -> Script:
    """The same on any store."""

    def run(got: Got) -> bytes:
        try:
            if got.method == "GET":
                op: Op[Any] = Get(*got.target.rsplit("/", 2)[1:])
                if store.run(op) is MISSING:
                    return problem(404, "not_found")
            else:
                op = op_from_json(parse(got.body)["ops"][0])
            return result(result_to_json(op, store.run(op)))
        except BotWireError as error:
            told = problem_of(error)
            return reply(told.members, told.status, "application/problem+json", told.headers)

    return run


@contextmanager
def scripted(*steps: Step, script: Script | None = None, context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """A server that answers by steps, or by a script, until the block ends; encrypted where it has a context."""
    server = Scripted(script or in_turn(*steps))
    with serving(lambda reader, writer: _talk(server, reader, writer), context) as port:
        server.port = port
        yield server


@contextmanager
def serving(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """The port of a server that talks so on each connection, in a thread of its own."""
    started: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = []
    ready = threading.Event()

    writers: list[asyncio.StreamWriter] = []

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> object:
        writers.append(writer)
        return talk(reader, writer)

    async def main() -> None:
        stop = asyncio.Event()
        server = await asyncio.start_server(begin, "127.0.0.1", 0, limit=2**20, ssl=context)  # type: ignore[arg-type]
        started.append((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()
        server.close()
        await _settled()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
            await _settled()
        for writer in writers:
            writer.transport.abort()  # what nobody reads any more would be kept to be sent
        await _settled()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(10)
    port, loop, stop = started[0]
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _settled() -> None:
    """Let what was accepted begin, and what was closed come to its end."""
    for _ in range(10):
        await asyncio.sleep(0)


async def _talk(server: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    server.connections += 1
    number = server.connections
    try:
        while (got := await read_request(reader, number)) is not None:
            server.got.append(got)
            server.arrived.set()
            step = server.script(got)
            if isinstance(step, bytes):
                writer.write(step)
            elif isinstance(step, Cut):
                writer.write(step.data)
                return
            elif isinstance(step, Drip):
                for byte in step.data:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(step.seconds)
            else:
                await reader.read()  # until the client has had enough
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


async def read_request(reader: asyncio.StreamReader, connection: int = 0) -> Got | None:
    """The next request of a connection; None at its end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Got(method, target, headers, body, connection)
