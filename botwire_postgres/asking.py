"""One statement, sent through libpq itself: what everybody waits for, in as few steps as there can be.

psycopg's cursor takes a third of what a get takes in all. Everything out of the ordinary is left to it.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Any, Final

import psycopg
from psycopg import errors, pq

from botwire_postgres.links import AsyncLink, Link

__all__ = ["BYTES", "INTEGER", "TEXT", "ask", "ask_beside_loop", "in_binary", "unpacked"]

INTEGER: Final = 20
TEXT: Final = 25
BYTES: Final = 17
"""The numbers of PostgreSQL's types bigint, text and bytea (https://www.postgresql.org/docs/current/datatype-oid.html)."""

_BINARY: Final = pq.Format.BINARY
_packed: Final = Struct("!q").pack


def in_binary(values: Iterable[Any]) -> list[bytes | None]:
    """Whole numbers, texts, bytes and nothing as PostgreSQL takes them in binary."""
    return [
        value if value is None or type(value) is bytes else _packed(value) if type(value) is int else value.encode()
        for value in values
    ]


def unpacked(data: bytes) -> int:
    """The whole number that PostgreSQL sent in binary, of whichever size."""
    return int.from_bytes(data, "big", signed=True)


def ask(link: Link, sql: str, values: Sequence[bytes | None], types: Sequence[int]) -> pq.abc.PGresult:
    """The rows of a statement, all of it in binary; it is prepared at its first use, where that can be.

    Raises:
        psycopg.Error: what the server said; without an `sqlstate` where it said nothing any more.
    """
    try:
        return _ask(link, sql, values, types)
    except psycopg.Error:
        raise
    except BaseException:
        link.close()  # in the middle of an answer
        raise


async def ask_beside_loop(
    link: AsyncLink, sql: str, values: Sequence[bytes | None], types: Sequence[int]
) -> pq.abc.PGresult:
    """Async twin of `ask`; a connection whose answer nobody waits for any more is closed."""
    try:
        if link.prepare_threshold is not None and sql not in link.names:
            name = _new_name(link)
            link.pgconn.send_prepare(name, sql.encode(), types)
            _checked(await _answer_beside_loop(link), pq.ExecStatus.COMMAND_OK)
            link.names[sql] = name
        _send(link, sql, values, types)
        return _checked(await _answer_beside_loop(link), pq.ExecStatus.TUPLES_OK)
    except psycopg.Error:
        raise
    except BaseException:
        link.pgconn.finish()
        raise


def _ask(link: Link, sql: str, values: Sequence[bytes | None], types: Sequence[int]) -> pq.abc.PGresult:
    if link.prepare_threshold is not None and sql not in link.names:
        name = _new_name(link)
        link.pgconn.send_prepare(name, sql.encode(), types)
        _checked(_answer(link), pq.ExecStatus.COMMAND_OK)
        link.names[sql] = name
    _send(link, sql, values, types)
    return _checked(_answer(link), pq.ExecStatus.TUPLES_OK)


def _new_name(link: Link | AsyncLink) -> bytes:
    return b"botwire_%d" % len(link.names)


def _send(link: Link | AsyncLink, sql: str, values: Sequence[bytes | None], types: Sequence[int]) -> None:
    formats = [_BINARY] * len(values)
    name = link.names.get(sql)
    if name is None:
        link.pgconn.send_query_params(sql.encode(), values, types, formats, _BINARY)
    else:
        link.pgconn.send_query_prepared(name, values, formats, _BINARY)


def _answer(link: Link) -> pq.abc.PGresult | None:
    connection = link.pgconn
    while connection.flush():  # a value that is too large for the line at once
        free = select.poll()
        free.register(connection.socket, select.POLLIN | select.POLLOUT)
        free.poll()
        connection.consume_input()
    wait = link.line.poll
    last = None
    while True:
        # Before each look at what came: to get a result that is not there yet keeps every thread waiting with it.
        while connection.is_busy():
            wait()
            connection.consume_input()
        result = connection.get_result()
        if result is None:
            return last
        last = result  # the rows come before the commit, and the last word is of that


async def _answer_beside_loop(link: AsyncLink) -> pq.abc.PGresult | None:
    loop = asyncio.get_running_loop()
    connection = link.pgconn
    while connection.flush():
        await _woken(loop.add_writer, loop.remove_writer, connection.socket)
        connection.consume_input()
    last = None
    while True:
        while connection.is_busy():
            await _woken(loop.add_reader, loop.remove_reader, connection.socket)
            connection.consume_input()
        result = connection.get_result()
        if result is None:
            return last
        last = result


async def _woken(add: Callable[..., object], remove: Callable[[int], object], descriptor: int) -> None:
    """Wait until an event loop says that a line is ready."""
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    add(descriptor, _wake, ready)
    try:
        await ready
    finally:
        remove(descriptor)


def _wake(heard: asyncio.Future[None]) -> None:
    if not heard.done():
        heard.set_result(None)


def _checked(result: pq.abc.PGresult | None, wanted: pq.ExecStatus) -> pq.abc.PGresult:
    if result is None:
        raise psycopg.OperationalError("the connection is lost")
    if result.status != wanted:
        raise errors.error_from_result(result)
    return result
