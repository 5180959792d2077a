"""What is done with connections and statements in both colours: from a thread that waits, and from an event loop.

What uses it is written once, as calls that wait (see `greenlets`). The two ways are in `blocking` and `beside_loop`.
"""

from __future__ import annotations

import logging
import math
import select
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus

from botwire_postgres.links import AsyncLink, Link

__all__ = [
    "GREETING",
    "POOL",
    "WAITING_FOR_EACH",
    "Colour",
    "Values",
    "greeting",
    "is_full",
    "judge_pooler",
    "set_up",
    "too_late",
]

Values = tuple[Any, ...]

_TRY_AGAIN: Final = 0.1  # seconds
POOL: Final = {
    "min_size": 0,
    "open": False,
    # A pool that goes on trying by itself waits for seconds in between, and a new primary is up in one.
    "reconnect_timeout": _TRY_AGAIN,
    "num_workers": 2,
}
# Who answers; and where that is no pooler, nobody shall wait longer for a process that is stopped in a transaction.
GREETING: Final = (
    "SELECT pg_backend_pid(), CASE WHEN pg_backend_pid() = $1"
    " THEN set_config('idle_in_transaction_session_timeout', $2, false) END"
)
# What the pool meets is raised where it matters; to those who ask for the log of psycopg it goes on.
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())
WAITING_FOR_EACH: Final = 100
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


def set_up(link: Link | AsyncLink, prepared: bool | None) -> None:
    """Give a new connection what we keep with it."""
    link.statements = link.cursor(binary=True)
    link.prepared_max = 500
    link.names = {}
    link.line = select.poll()
    link.line.register(link.pgconn.socket, select.POLLIN)
    link.prepare_threshold = None if prepared is False else 5
    link.add_notice_handler(link.noticed)


def too_late() -> psycopg.Error:
    """The error for a connection that was not made in time."""
    return psycopg.errors.ConnectionTimeout("no connection was made in time")


def greeting(link: Link | AsyncLink, idle: float) -> Values:
    """What `GREETING` binds: the process that a new connection was told of, and how long it may idle in seconds."""
    return link.info.backend_pid, f"{math.ceil(idle * 1000)}ms"


def judge_pooler(link: Link | AsyncLink, prepared: bool | None, answered_by: int) -> None:
    """Prepare no statements where a pooler gives each transaction to another connection, which does not know them."""
    if prepared is None and answered_by != link.info.backend_pid:
        link.prepare_threshold = None


def is_full(statistics: dict[str, int], size: int) -> bool:
    """Whether a pool has all the connections that it may have, by its statistics."""
    return statistics.get("pool_size", 0) >= size
