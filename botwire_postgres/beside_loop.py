"""Connections and statements of one event loop, which goes on with other things while they take their time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import TooManyRequests

from botwire_postgres.colours import (
    GREETING,
    POOL,
    WAITING_FOR_EACH,
    Colour,
    Values,
    greeting,
    is_full,
    judge_pooler,
    set_up,
    too_late,
)
from botwire_postgres.greenlets import wait_for
from botwire_postgres.links import AsyncLink, AsyncPool, connect_arguments

__all__ = ["AsyncColour"]

_IN_LINE: Final = 0.5  # seconds


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
            max_waiting=size * WAITING_FOR_EACH,
            configure=self._configure,
            **POOL,  # type: ignore[arg-type]
        )
        self._opened = False
        self._links: WeakSet[AsyncLink] = WeakSet()
        self._line: deque[asyncio.Future[AsyncLink | None]] = deque()

    def connect(self, seconds: float) -> AsyncLink:
        try:
            return wait_for(asyncio.wait_for(self._connect(), max(seconds, 0.01)))
        except TimeoutError:
            raise too_late() from None

    async def _connect(self) -> AsyncLink:
        link = await AsyncLink.connect(self._conninfo, **connect_arguments(for_loop=True))
        await self._configure(link)
        return link

    async def _configure(self, link: AsyncLink) -> None:
        set_up(link, self._prepared)
        self._links.add(link)
        await link.statements.execute(GREETING, greeting(link, self._idle))
        judge_pooler(link, self._prepared, (await link.statements.fetchone())[0])

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
        return is_full(self.pool.get_stats(), self._size)

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
        return len(self._line) + self._waiting >= self._size * WAITING_FOR_EACH

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
