"""The connections of one database: for threads and for each event loop, and what has to be so before they are used."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import PoolTimeout

from botwire_core.errors import UnknownStoreError
from botwire_postgres.beside_loop import AsyncColour
from botwire_postgres.blocking import BlockingColour
from botwire_postgres.clock import DatabaseClock
from botwire_postgres.colours import Colour
from botwire_postgres.links import Link, Watchdog
from botwire_postgres.runs import Run
from botwire_postgres.schema import check_schema_name, ensure_schema

__all__ = ["HOW_TO_SPELL", "Connections"]

HOW_TO_SPELL: Final = "spell it as libpq does, with % codes for what is special in names and passwords"
_SLICE: Final = 1.0  # seconds of waiting for a connection, after which it is looked at why there is none
_FIRST_SLICE: Final = 0.2  # seconds; there may be a mistake in the URL
_TIME: Final = "SELECT extract(epoch FROM clock_timestamp())::double precision"
_SETTINGS: Final = {
    "application_name": "botwire",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}


class Connections:
    """Connections of one process; a forked child has none of its parent's."""

    def __init__(
        self, conninfo: str, *, schema: str, timeout: float, pool_size: int, prepared: bool | None, clock: DatabaseClock
    ) -> None:
        self.schema = check_schema_name(schema)
        self.timeout = timeout
        self.clock = clock
        try:
            given: dict[str, Any] = dict(conninfo_to_dict(conninfo))
        except psycopg.ProgrammingError:
            # Not `from`: what libpq says quotes the part that it cannot read, which may be the password.
            raise UnknownStoreError("the address of the database cannot be read", hint=HOW_TO_SPELL) from None
        # Also where the URL says otherwise: a standby shows commits in another order, and late.
        self._conninfo = make_conninfo(
            **{
                **_SETTINGS,
                "tcp_user_timeout": str(round(timeout * 1000)),
                **given,
                "target_session_attrs": "read-write",
            }
        )
        self.place = f"{given.get('host', 'localhost')}/{given.get('dbname', '')}"
        self._pool_size = pool_size
        self.prepared = prepared
        self.ready = False
        self.watchdog = Watchdog()
        self._process = os.getpid()
        self._making = threading.Lock()
        self._blocking: BlockingColour | None = None
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncColour] = WeakKeyDictionary()
        self._left_to_parent: list[object] = []

    def get_ready(self, run: Run) -> None:
        """See that the tables are there, and know the time."""
        if self.ready and not self.clock.stale_at(time.monotonic()):
            return
        link = self.take(run)
        try:
            if not self.ready:
                ensure_schema(
                    self.schema,
                    lambda sql, values: run.colour.every(link, sql, values),
                    lambda sql: run.colour.do(link, sql),
                )
            self.clock.measure(lambda: run.colour.every(link, _TIME, ())[0][0])
        finally:
            self.give_back(run.colour, link)
        self.ready = True

    def take(self, run: Run) -> Any:
        """A connection that is watched until the deadline of an op.

        Raises:
            psycopg.Error: there is none, and why.
        """
        piece = _SLICE if self.ready else _FIRST_SLICE
        while True:
            left = run.deadline - time.monotonic()
            try:
                link = run.colour.take(max(0.01, min(piece, left)))
            except PoolTimeout:
                if left > piece and run.colour.pool_is_full():
                    continue
                if not run.colour.pool_is_full():
                    left = run.deadline - time.monotonic()
                    run.colour.connect(left).pgconn.finish()  # to learn what is in the way
                if left > piece:
                    continue
                raise
            if not link.has_gone():
                self.watchdog.watch(link, run.deadline)
                return link
            run.colour.discard(link)

    def give_back(self, colour: Colour, link: Any) -> None:
        """Return it."""
        self.watchdog.done(link)
        if link.stopped_at is not None:
            colour.discard(link)  # what was to stop this one must not stop the next
        else:
            colour.give_back(link)

    def blocking(self) -> BlockingColour:
        """The connections of threads."""
        self.after_fork()
        with self._making:
            if self._blocking is None:
                self._blocking = BlockingColour(self._conninfo, self._pool_size, self.prepared, self.timeout)
            return self._blocking

    def instead_of(self, closed: Colour) -> Colour:
        """The connections that have taken the place of others, since the store was closed and is used all the same."""
        return self.beside(asyncio.get_running_loop()) if isinstance(closed, AsyncColour) else self.blocking()

    def after_fork(self) -> None:
        """Leave the connections of a parent to it: in a forked child there are none."""
        if self._process != os.getpid():
            self._left_to_parent += [self._blocking, self._loops, self.watchdog]
            self._blocking, self._loops, self.watchdog = None, WeakKeyDictionary(), Watchdog()
            self._making = threading.Lock()
            self._process = os.getpid()

    def beside(self, loop: asyncio.AbstractEventLoop) -> AsyncColour:
        """The connections of an event loop."""
        self.after_fork()
        colour = self._loops.get(loop)
        if colour is None:
            self._leave_loops(lambda loop: loop.is_closed())
            colour = self._loops[loop] = AsyncColour(self._conninfo, self._pool_size, self.prepared, self.timeout)
        return colour

    def at_hand(self) -> tuple[BlockingColour, Link] | None:
        """The connection that a thread used last, if nobody has it, and where it belongs."""
        colour = self._blocking
        if colour is None or self._process != os.getpid():
            return None
        link = colour.at_hand()
        return None if link is None else (colour, link)

    def colour_beside(self, loop: asyncio.AbstractEventLoop) -> AsyncColour | None:
        """The connections of an event loop, if it has any."""
        return self._loops.get(loop) if self._process == os.getpid() else None

    def _leave_loops(self, has_ended: Callable[[asyncio.AbstractEventLoop], bool]) -> None:
        """Close the connections of event loops that do so themselves no more."""
        for loop in [one for one in self._loops if has_ended(one)]:
            self._loops.pop(loop).abandon()

    def close(self) -> None:
        """Close the connections of all threads, and of event loops that do not run."""
        self.after_fork()
        self._leave_loops(lambda loop: not loop.is_running())
        colour, self._blocking = self._blocking, None
        if colour is not None:
            colour.close()
        if not self._loops:
            self.watchdog.close()

    async def aclose(self) -> None:
        """Close the connections of this event loop, and those of all threads."""
        self.after_fork()
        colour = self._loops.pop(asyncio.get_running_loop(), None)
        if colour is not None:
            await colour.close()
        await asyncio.to_thread(self.close)
