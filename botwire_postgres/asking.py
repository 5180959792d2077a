"""One statement, sent by a thread through libpq itself: what everybody waits for, in as few steps as there can be.

psycopg's cursor takes a third of what a get takes in all. Everything out of the ordinary is left to it.
"""

from __future__ import annotations

import select
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any, Final

import psycopg
from psycopg import errors, pq

from botwire_postgres.links import Link

__all__ = ["BYTES", "INTEGER", "TEXT", "ask", "in_binary", "unpacked"]

INTEGER: Final = 20
TEXT: Final = 25
BYTES: Final = 17
"""The numbers of PostgreSQL's types bigint, text and bytea (https://www.postgresql.org/docs/current/datatype-oid.html)."""

_BINARY: Final = pq.Format.BINARY
_TUPLES: Final = pq.ExecStatus.TUPLES_OK
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


def _ask(link: Link, sql: str, values: Sequence[bytes | None], types: Sequence[int]) -> pq.abc.PGresult:
    connection = link.pgconn
    formats = [_BINARY] * len(values)
    name = link.names.get(sql)
    if name is None and link.prepare_threshold is None:
        connection.send_query_params(sql.encode(), values, types, formats, _BINARY)
    else:
        if name is None:
            name = b"botwire_%d" % len(link.names)
            made = connection.prepare(name, sql.encode(), types)
            if made.status != pq.ExecStatus.COMMAND_OK:
                raise errors.error_from_result(made)
            link.names[sql] = name
        connection.send_query_prepared(name, values, formats, _BINARY)
    while connection.flush():  # a value that is too large for the line at once
        free = select.poll()
        free.register(connection.socket, select.POLLIN | select.POLLOUT)
        free.poll()
        connection.consume_input()
    wait = link.line.poll
    result = None
    while True:
        # Before each look at what came: to get a result that is not there yet keeps every thread waiting with it.
        while connection.is_busy():
            wait()
            connection.consume_input()
        later = connection.get_result()
        if later is None:
            break
        result = later  # the rows come before the commit, and the last word is of that
    if result is None:
        raise psycopg.OperationalError("the connection is lost")
    if result.status != _TUPLES:
        raise errors.error_from_result(result)
    return result
