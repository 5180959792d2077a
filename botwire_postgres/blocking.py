"""Connections and statements of threads, which wait for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from psycopg_pool import ConnectionPool

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
from botwire_postgres.links import Link, connect_arguments

__all__ = ["BlockingColour"]


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
            max_waiting=size * WAITING_FOR_EACH,
            configure=self._configure,
            **POOL,  # type: ignore[arg-type]
        )
        self.pool.open()

    def connect(self, seconds: float) -> Link:
        made: Future[Link] = Future()
        threading.Thread(target=self._connect, args=(made,), name="botwire-connect", daemon=True).start()
        try:
            return made.result(max(seconds, 0.01))
        except TimeoutError:
            made.add_done_callback(_close_late)
            raise too_late() from None

    def _connect(self, made: Future[Link]) -> None:
        try:
            link = Link.connect(self._conninfo, **connect_arguments(for_loop=False))
            self._configure(link)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            made.set_exception(error)
        else:
            made.set_result(link)

    def _configure(self, link: Link) -> None:
        set_up(link, self._prepared)
        link.statements.execute(GREETING, greeting(link, self._idle))
        judge_pooler(link, self._prepared, link.statements.fetchone()[0])

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
        return is_full(self.pool.get_stats(), self._size)

    def close(self) -> None:
        """Close all connections; those in use, when they are returned."""
        self._closed = True
        self.let_go()
        self.pool.close()


def _close_late(made: Future[Link]) -> None:
    if made.exception() is None:
        made.result().pgconn.finish()
