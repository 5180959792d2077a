"""Connections and statements of one event loop, which goes on with other things while they take their time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg.pq import TransactionStatus

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

    def take_beside_loop(self) -> AsyncLink | None:
        """`at_hand` for a coroutine; what is gone is left for a call that may wait."""
        if not self._at_hand or self._at_hand[-1].has_gone():
            return None
        link: AsyncLink = self._at_hand.pop()
        return link

    async def give_back_beside_loop(self, link: AsyncLink) -> None:
        """`give_back` for a coroutine."""
        if self._closed or link.pgconn.transaction_status != TransactionStatus.IDLE or self._waiting:
            await self.pool.putconn(link)
        else:
            self._at_hand.append(link)

    def abandon(self) -> None:
        """Close all connections from outside of the event loop, which has ended."""
        for link in list(self._links):
            link.pgconn.finish()

    async def close(self) -> None:
        """Close all connections; those in use, when they are returned."""
        self._closed = True
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
