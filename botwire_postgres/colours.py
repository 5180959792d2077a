"""The two ways in which a statement reaches the database: from a thread that waits, and from an event loop.

What is done is written once, as calls that wait (see `greenlets`); the few things that differ are here.
"""

from __future__ import annotations

import asyncio
import logging
import math
import select
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, TooManyRequests

from botwire_postgres.greenlets import wait_for
from botwire_postgres.links import AsyncLink, AsyncPool, Link, connect_arguments

__all__ = ["AsyncColour", "BlockingColour", "Colour", "Values"]

Values = tuple[Any, ...]

_TRY_AGAIN: Final = 0.1  # seconds
_POOL: Final = {
    "min_size": 0,
    "open": False,
    # A pool that goes on trying by itself waits for seconds in between, and a new primary is up in one.
    "reconnect_timeout": _TRY_AGAIN,
    "num_workers": 2,
}
# Who answers; and where that is no pooler, nobody shall wait longer for a process that is stopped in a transaction.
_GREETING: Final = (
    "SELECT pg_backend_pid(), CASE WHEN pg_backend_pid() = $1"
    " THEN set_config('idle_in_transaction_session_timeout', $2, false) END"
)
# What the pool meets is raised where it matters; to those who ask for the log of psycopg it goes on.
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())
_IN_LINE: Final = 0.5  # seconds
_WAITING_FOR_EACH: Final = 100
"""Callers that may wait for each connection of a pool; more are refused at once."""


class Colour(ABC):
    """Connections and statements of one colour; all of it blocks, or seems to.

    Connections that were used stay at hand, and go back to the pool as soon as somebody waits there: to take one from
    the pool and return it costs half as much as a get.
    """

    def __init__(self) -> None:
        self._at_hand: deque[Any] = deque()
        self._waiting = 0
        self._closed = False

    def at_hand(self) -> Any:
        """The connection that was used last, if nobody has it and it still stands; else None."""
        try:
            link = self._at_hand.pop()
        except IndexError:
            return None
        if not link.has_gone():
            return link
        self.discard(link)
        return None

    def take(self, timeout: float) -> Any:
        """A connection, for at most so many seconds of waiting.

        Raises:
            psycopg_pool.PoolTimeout: none was free, or none could be made.
            psycopg_pool.TooManyRequests: too many wait already.
        """
        self._waiting += 1  # first, so that whoever returns one sees it, or is seen
        try:
            return self.at_hand() or self._from_pool(timeout)
        finally:
            self._waiting -= 1

    def give_back(self, link: Any) -> None:
        """Return it; a broken one is thrown away."""
        if self._closed or link.pgconn.transaction_status != TransactionStatus.IDLE:
            self._to_pool(link)
            return
        self._at_hand.append(link)
        if self._waiting and self._at_hand:
            with suppress(IndexError):  # somebody has taken it
                self._to_pool(self._at_hand.pop())

    def let_go(self) -> None:
        """Return the connections that are at hand."""
        with suppress(IndexError):
            while True:
                self._to_pool(self._at_hand.pop())

    @abstractmethod
    def _from_pool(self, timeout: float) -> Any: ...

    @abstractmethod
    def _to_pool(self, link: Any) -> None: ...

    @abstractmethod
    def drain(self) -> None:
        """Close all connections that nobody uses, and the others when they are returned."""

    @abstractmethod
    def connect(self, seconds: float) -> Any:
        """A connection beside the pool, made within so many seconds: psycopg bounds each attempt, and not all of them.

        Raises:
            psycopg.OperationalError: there is none.
        """

    @abstractmethod
    def discard(self, link: Any) -> None:
        """Close a connection of the pool and return it."""

    @abstractmethod
    def every(self, link: Any, sql: str, values: Values) -> list[Any]:
        """Run a statement and give all its rows."""

    @abstractmethod
    def do(self, link: Any, sql: str, values: Values = ()) -> int:
        """Run a statement that gives no rows; tells how many it changed."""

    @abstractmethod
    def do_many(self, link: Any, sql: str, rows: Sequence[Values]) -> None:
        """Run a statement with each of these values."""

    @abstractmethod
    def every_of_many(self, link: Any, sql: str, rows: Sequence[Values]) -> list[list[Any]]:
        """Run a statement with each of these values, and give the rows of each."""

    @abstractmethod
    def sleep(self, seconds: float) -> None:
        """Wait."""

    @abstractmethod
    def pool_is_full(self) -> bool:
        """Whether the pool has all the connections that it may have."""


class BlockingColour(Colour):
    """From threads."""

    def __init__(self, conninfo: str, size: int, prepared: bool | None, idle: float) -> None:
        super().__init__()
        self._conninfo = conninfo
        self._size = size
        self._prepared = prepared
        self._idle = idle
        self.pool: ConnectionPool[Link] = ConnectionPool(
            conninfo,
            connection_class=Link,
            kwargs=connect_arguments(for_loop=False),
            max_size=size,
            max_waiting=size * _WAITING_FOR_EACH,
            configure=self._configure,
            **_POOL,  # type: ignore[arg-type]
        )
        self.pool.open()

    def connect(self, seconds: float) -> Link:
        made: Future[Link] = Future()
        threading.Thread(target=self._connect, args=(made,), name="botwire-connect", daemon=True).start()
        try:
            return made.result(max(seconds, 0.01))
        except TimeoutError:
            made.add_done_callback(_close_late)
            raise _too_late() from None

    def _connect(self, made: Future[Link]) -> None:
        try:
            link = Link.connect(self._conninfo, **connect_arguments(for_loop=False))
            self._configure(link)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            made.set_exception(error)
        else:
            made.set_result(link)

    def _configure(self, link: Link) -> None:
        _set_up(link, self._prepared)
        link.statements.execute(_GREETING, _greeting(link, self._idle))
        _judge_pooler(link, self._prepared, link.statements.fetchone()[0])

    def _from_pool(self, timeout: float) -> Link:
        return self.pool.getconn(timeout)

    def _to_pool(self, link: Link) -> None:
        self.pool.putconn(link)

    def drain(self) -> None:
        self.let_go()
        self.pool.drain()

    def discard(self, link: Link) -> None:
        link.close()
        self.pool.putconn(link)

    def every(self, link: Link, sql: str, values: Values) -> list[Any]:
        cursor = link.statements
        cursor.execute(sql, values)
        return cursor.fetchall()  # type: ignore[no-any-return]

    def do(self, link: Link, sql: str, values: Values = ()) -> int:
        cursor = link.statements
        cursor.execute(sql, values)
        return cursor.rowcount  # type: ignore[no-any-return]

    def do_many(self, link: Link, sql: str, rows: Sequence[Values]) -> None:
        link.statements.executemany(sql, rows)

    def every_of_many(self, link: Link, sql: str, rows: Sequence[Values]) -> list[list[Any]]:
        cursor = link.statements
        cursor.executemany(sql, rows, returning=True)
        found = [cursor.fetchall()]
        while cursor.nextset():
            found.append(cursor.fetchall())
        return found

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def pool_is_full(self) -> bool:
        return _is_full(self.pool.get_stats(), self._size)

    def close(self) -> None:
        """Close all connections; those in use, when they are returned."""
        self._closed = True
        self.let_go()
        self.pool.close()


class AsyncColour(Colour):
    """From one event loop, by `greenlets.run_beside_loop`."""

    def __init__(self, conninfo: str, size: int, prepared: bool | None, idle: float) -> None:
        super().__init__()
        self._conninfo = conninfo
        self._size = size
        self._prepared = prepared
        self._idle = idle
        self.pool = AsyncPool(
            conninfo,
            connection_class=AsyncLink,
            kwargs=connect_arguments(for_loop=True),
            max_size=size,
            max_waiting=size * _WAITING_FOR_EACH,
            configure=self._configure,
            **_POOL,  # type: ignore[arg-type]
        )
        self._opened = False
        self._links: WeakSet[AsyncLink] = WeakSet()
        self._line: deque[asyncio.Future[AsyncLink | None]] = deque()

    def connect(self, seconds: float) -> AsyncLink:
        try:
            return wait_for(asyncio.wait_for(self._connect(), max(seconds, 0.01)))
        except TimeoutError:
            raise _too_late() from None

    async def _connect(self) -> AsyncLink:
        link = await AsyncLink.connect(self._conninfo, **connect_arguments(for_loop=True))
        await self._configure(link)
        return link

    async def _configure(self, link: AsyncLink) -> None:
        _set_up(link, self._prepared)
        self._links.add(link)
        await link.statements.execute(_GREETING, _greeting(link, self._idle))
        _judge_pooler(link, self._prepared, (await link.statements.fetchone())[0])

    def _from_pool(self, timeout: float) -> AsyncLink:
        if not self._opened:
            self._opened = True
            wait_for(self.pool.open())
        return wait_for(self.pool.getconn(timeout))

    def _to_pool(self, link: AsyncLink) -> None:
        wait_for(self.pool.putconn(link))

    def drain(self) -> None:
        self.let_go()
        wait_for(self.pool.drain())

    def discard(self, link: AsyncLink) -> None:
        wait_for(link.close())
        wait_for(self.pool.putconn(link))

    def every(self, link: AsyncLink, sql: str, values: Values) -> list[Any]:
        return wait_for(_every(link.statements, sql, values))

    def do(self, link: AsyncLink, sql: str, values: Values = ()) -> int:
        cursor = link.statements
        wait_for(cursor.execute(sql, values))
        return cursor.rowcount  # type: ignore[no-any-return]

    def do_many(self, link: AsyncLink, sql: str, rows: Sequence[Values]) -> None:
        wait_for(link.statements.executemany(sql, rows))

    def every_of_many(self, link: AsyncLink, sql: str, rows: Sequence[Values]) -> list[list[Any]]:
        return wait_for(_every_of_many(link.statements, sql, rows))

    def sleep(self, seconds: float) -> None:
        wait_for(asyncio.sleep(seconds))

    def pool_is_full(self) -> bool:
        return _is_full(self.pool.get_stats(), self._size)

    async def take_beside_loop(self) -> AsyncLink | None:
        """`at_hand` for a coroutine, which waits in line for a moment where all connections are in use.

        None where that was too long, where there may be more of them, or where one has to be looked after: that is for
        calls that wait.
        """
        if self._at_hand:
            if self._at_hand[-1].has_gone():
                return None
            link: AsyncLink | None = self._at_hand.pop()
            return link
        if not self.pool_is_full() or self._crowded():
            return None
        given: asyncio.Future[AsyncLink | None] = asyncio.get_running_loop().create_future()
        self._line.append(given)
        try:
            async with asyncio.timeout(_IN_LINE):
                return await given
        except TimeoutError:
            return None
        except asyncio.CancelledError:
            link = given.result() if given.done() and not given.cancelled() else None
            if link is not None:
                await self.give_back_beside_loop(link)
            raise
        finally:
            with suppress(ValueError):
                self._line.remove(given)

    async def give_back_beside_loop(self, link: AsyncLink) -> None:
        """`give_back` for a coroutine."""
        if self._closed or link.pgconn.transaction_status != TransactionStatus.IDLE or self._waiting:
            await self.pool.putconn(link)
        elif not self._hand_on(link):
            self._at_hand.append(link)

    def give_back(self, link: AsyncLink) -> None:
        if self._waiting or link.pgconn.transaction_status != TransactionStatus.IDLE or not self._hand_on(link):
            super().give_back(link)

    def take(self, timeout: float) -> AsyncLink:
        if self._crowded():
            raise TooManyRequests("too many wait for a connection already")
        link: AsyncLink = super().take(timeout)
        return link

    def _crowded(self) -> bool:
        return len(self._line) + self._waiting >= self._size * _WAITING_FOR_EACH

    def _hand_on(self, link: AsyncLink) -> bool:
        while self._line and not self._closed:
            given = self._line.popleft()
            if not given.done():
                given.set_result(link)
                return True
        return False

    def abandon(self) -> None:
        """Close all connections from outside of the event loop, which has ended."""
        for link in list(self._links):
            link.pgconn.finish()

    async def close(self) -> None:
        """Close all connections; those in use, when they are returned."""
        self._closed = True
        for given in self._line:
            if not given.done():
                given.set_result(None)
        while self._at_hand:
            await self.pool.putconn(self._at_hand.pop())
        await self.pool.close()


async def _every(cursor: psycopg.AsyncCursor[Any], sql: str, values: Values) -> list[Any]:
    await cursor.execute(sql, values)
    return await cursor.fetchall()


async def _every_of_many(cursor: psycopg.AsyncCursor[Any], sql: str, rows: Sequence[Values]) -> list[list[Any]]:
    await cursor.executemany(sql, rows, returning=True)
    found = [await cursor.fetchall()]
    while cursor.nextset():
        found.append(await cursor.fetchall())
    return found


def _set_up(link: Link | AsyncLink, prepared: bool | None) -> None:
    link.statements = link.cursor(binary=True)
    link.prepared_max = 500
    link.names = {}
    link.line = select.poll()
    link.line.register(link.pgconn.socket, select.POLLIN)
    link.prepare_threshold = None if prepared is False else 5
    link.add_notice_handler(link.noticed)


def _too_late() -> psycopg.Error:
    return psycopg.errors.ConnectionTimeout("no connection was made in time")


def _close_late(made: Future[Link]) -> None:
    if made.exception() is None:
        made.result().pgconn.finish()


def _greeting(link: Link | AsyncLink, idle: float) -> Values:
    return link.info.backend_pid, f"{math.ceil(idle * 1000)}ms"


def _judge_pooler(link: Link | AsyncLink, prepared: bool | None, answered_by: int) -> None:
    """Prepare no statements where a pooler gives each transaction to another connection, which does not know them."""
    if prepared is None and answered_by != link.info.backend_pid:
        link.prepare_threshold = None


def _is_full(statistics: dict[str, int], size: int) -> bool:
    return statistics.get("pool_size", 0) >= size
