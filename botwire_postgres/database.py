"""One database: its connections, transactions, deadlines, and what is tried again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal, TypeVar, cast

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import PoolClosed

from botwire_core.errors import CommitUnknownError, StoreBusyError
from botwire_core.stores.rows import StaleRead
from botwire_postgres.beside_loop import AsyncColour
from botwire_postgres.blocking import BlockingColour
from botwire_postgres.colours import Values
from botwire_postgres.connections import Connections
from botwire_postgres.faults import collided, fault, is_lost, is_read_only, is_stale_plan
from botwire_postgres.greenlets import run_beside_loop
from botwire_postgres.links import AsyncLink, Link
from botwire_postgres.runs import Run, beside_loop, running
from botwire_postgres.schema import qualified

__all__ = ["Database", "Run"]

A = TypeVar("A")
R = TypeVar("R")

_PAUSE: Final = 0.05  # seconds
_FIRST_PATIENCE: Final = 5.0  # seconds
_MOST_COLLISIONS: Final = 100
_BEGIN: Final = {
    "write": "BEGIN ISOLATION LEVEL READ COMMITTED",
    "read": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}


class Database(Connections):
    """What all ops of a store on one database share."""

    def __init__(self, conninfo: str, **settings: Any) -> None:
        super().__init__(conninfo, **settings)
        self._spelled: dict[str, str] = {}

    # --- running --------------------------------------------------------------------------------------------

    def current(self) -> Run | None:
        """The op that runs here now, if it is one of this database."""
        run = running.get()
        while run is not None and run.database is not self:
            run = run.outer
        return run

    def run(self, work: Callable[[A], R], argument: A, *, again: bool = True) -> R:
        """Give `work(argument)`, done again, where nothing of it was kept, until its deadline.

        Raises:
            CommitUnknownError: it was cut off while it was committed.
            BotWireError: what PostgreSQL said last.
        """
        if self.current() is not None:
            return work(argument)
        with self._beginning() as run:
            for attempt in range(1_000_000):
                run.committing = False
                try:
                    self.get_ready(run)
                    return work(argument)
                except StaleRead as error:
                    self._pause_after_collision(run, attempt, again, error)
                except psycopg.Error as error:
                    self._judge(run, error, attempt, again)
        raise AssertionError("an attempt ends or raises")

    @contextmanager
    def _beginning(self) -> Iterator[Run]:
        colour = beside_loop.get() or self.blocking()
        token = running.set(Run(self, running.get(), colour, time.monotonic() + self.timeout))
        try:
            yield cast(Run, running.get())
        finally:
            running.reset(token)

    def take_at_once(self) -> tuple[BlockingColour, Link] | None:
        """A connection that is at hand for one statement of a thread; None where anything is out of the ordinary.

        It is given back with `give_back`; where something else than psycopg broke the statement off, it is closed
        first. What goes wrong is told as it is, and nothing is tried again.
        """
        now = time.monotonic()
        found = self.at_hand() if self._nothing_special(now) else None
        if found is not None:
            self.watchdog.watch(found[1], now + self.timeout)
        return found

    def take_beside_loop(self) -> tuple[AsyncColour, AsyncLink] | None:
        """The same for a coroutine; it is given back with `give_back_beside_loop`."""
        now = time.monotonic()
        colour = self.colour_beside(asyncio.get_running_loop()) if self._nothing_special(now) else None
        link = None if colour is None else colour.take_beside_loop()
        if colour is None or link is None:
            return None
        self.watchdog.watch(link, now + self.timeout)
        return colour, link

    async def give_back_beside_loop(self, colour: AsyncColour, link: AsyncLink) -> None:
        """Return what `take_beside_loop` gave."""
        self.watchdog.done(link)
        if link.stopped_at is not None:
            link.pgconn.finish()  # what was to stop this one must not stop the next
        await colour.give_back_beside_loop(link)

    def _nothing_special(self, now: float) -> bool:
        return self.ready and running.get() is None and beside_loop.get() is None and not self.clock.stale_at(now)

    async def arun(self, work: Callable[[A], R], argument: A, *, again: bool = True) -> R:
        """Async twin of `run`."""
        colour = self.beside(asyncio.get_running_loop())
        token = beside_loop.set(colour)
        try:
            return await run_beside_loop(lambda one: self.run(work, one, again=again), argument)
        finally:
            beside_loop.reset(token)

    def _judge(self, run: Run, error: psycopg.Error, attempt: int, again: bool) -> None:
        """Come back where the work is to be done again, else raise what is to be told."""
        if run.committing:
            raise self.cut_off() from error
        if isinstance(error, PoolClosed):
            run.colour = self.instead_of(run.colour)
        left = run.deadline - time.monotonic()
        if not self.ready:  # it was never there: a wrong address is told soon, and a start waited for a little
            left -= max(0.0, self.timeout - _FIRST_PATIENCE)
        if is_read_only(error):
            run.colour.drain()
        if is_stale_plan(error):
            self.prepared = False
            run.colour.drain()
        elif isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName) and self.ready:
            self.ready = False  # somebody dropped the schema: it is made anew
        elif not (collided(error) or is_lost(error) or is_read_only(error)):
            raise fault(error, self.place) from error
        if collided(error):
            self._pause_after_collision(run, attempt, again, error)
        elif not again or left <= 0:
            raise fault(error, self.place) from error
        else:
            run.colour.sleep(min(_PAUSE, left))

    @staticmethod
    def _pause_after_collision(run: Run, attempt: int, again: bool, error: Exception) -> None:
        left = run.deadline - time.monotonic()
        if not again or left <= 0 or attempt >= _MOST_COLLISIONS:
            raise StoreBusyError("others wrote to the same all the time", hint="try again") from error
        if attempt:
            run.colour.sleep(min(random.random() * 0.005 * attempt, left))  # noqa: S311

    def cut_off(self) -> CommitUnknownError:
        """The error for a commit whose answer did not come."""
        return CommitUnknownError(f"{self.place} was cut off during a commit", hint="read before you write again")

    # --- statements -----------------------------------------------------------------------------------------

    def every(self, sql: str, values: Values = ()) -> list[Any]:
        """The rows of a statement, in the transaction that there is, or by itself."""
        return self._statement("every", sql, values)  # type: ignore[no-any-return]

    def do(self, sql: str, values: Values = ()) -> int:
        """How many rows a statement has changed that gives none."""
        return self._statement("do", sql, values)  # type: ignore[no-any-return]

    def do_many(self, sql: str, rows: list[Values]) -> None:
        """Run a statement with each of these values, in the transaction that there is."""
        run = self.current()
        assert run is not None
        assert run.link is not None
        run.colour.do_many(run.link, self.as_it_is(sql), rows)

    def every_of_many(self, sql: str, rows: list[Values]) -> list[list[Any]]:
        """The rows of a statement with each of these values, sent at once, in the transaction that there is."""
        run = self.current()
        assert run is not None
        assert run.link is not None
        return run.colour.every_of_many(run.link, self.as_it_is(sql), rows)

    def _statement(self, kind: Literal["every", "do"], sql: str, values: Values) -> Any:
        run = self.current()
        if run is None:
            return self.run(lambda _: self._statement(kind, sql, values), None)
        spelled = self.as_it_is(sql)
        if run.link is not None:
            return getattr(run.colour, kind)(run.link, spelled, values)
        link = self.take(run)
        try:
            return getattr(run.colour, kind)(link, spelled, values)
        finally:
            self.give_back(run.colour, link)

    def write_alone(self, sql: str, values: Values) -> list[Any]:
        """The rows of a statement that writes and is its own commit, or a part of the transaction that there is."""
        run = self.current()
        assert run is not None
        spelled = self.as_it_is(sql)
        if run.link is not None:
            return run.colour.every(run.link, spelled, values)
        link = self.take(run)
        try:
            run.committing = True
            try:
                rows = run.colour.every(link, spelled, values)
            except psycopg.Error as error:
                # An error that the server told is one of a statement that was undone.
                run.committing = is_lost(error)
                raise
            run.committing = False
            self.check_replicated(link)
            return rows
        finally:
            self.give_back(run.colour, link)

    def as_it_is(self, sql: str) -> str:
        """A statement as PostgreSQL takes it."""
        spelled = self._spelled.get(sql)
        if spelled is None:
            spelled = self._spelled[sql] = qualified(sql, self.schema)
        return spelled

    # --- transactions ---------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, kind: Literal["read", "write"]) -> Iterator[None]:
        """A block whose statements are one transaction; in one that there is already, a part of that."""
        run = self.current()
        if run is None:
            with self._beginning() as run:
                try:
                    self.get_ready(run)
                    with self.transaction(kind):
                        yield
                except psycopg.Error as error:
                    self._judge(run, error, 0, again=False)
            return
        if run.link is not None:
            if kind == "read":
                yield
            elif not run.writes:
                raise StoreBusyError("this op only reads", hint="this is an error in BotWire: please report it")
            elif run.grouped:
                with self._part(run):
                    yield
            else:
                raise StoreBusyError("this thread is in the middle of a write already", hint="finish that one first")
            return
        link = self.take(run)
        run.link, run.writes = link, kind == "write"
        run.locked, run.places = set(), {}
        try:
            try:
                run.colour.do(link, _BEGIN[kind])
                yield
                run.committing = run.writes
                run.colour.do(link, "COMMIT")
                run.committing = False
                if link.statements.statusmessage != "COMMIT":  # a server that undid it says so by nothing else
                    raise psycopg.errors.InFailedSqlTransaction("the transaction was undone")
            except BaseException as error:
                if isinstance(error, psycopg.Error) and run.committing:
                    ended_idle = isinstance(error, psycopg.errors.IdleInTransactionSessionTimeout)
                    run.committing = is_lost(error) and not ended_idle  # then it ended before the commit came
                self._undo(run, link)
                raise
            if kind == "write":
                self.check_replicated(link)
        finally:
            run.link, run.writes, run.grouped = None, False, False
            self.give_back(run.colour, link)

    @contextmanager
    def _part(self, run: Run) -> Iterator[None]:
        locked, places = set(run.locked), dict(run.places)
        run.colour.do(run.link, "SAVEPOINT part")
        try:
            yield
        except Exception as error:
            if isinstance(error, psycopg.Error | StaleRead) and not isinstance(error, psycopg.DataError):
                raise  # of the connection, or of a collision: the affair of all that is done together
            run.locked, run.places = locked, places  # the locks of a part go with it
            run.colour.do(run.link, "ROLLBACK TO SAVEPOINT part")
            run.colour.do(run.link, "RELEASE SAVEPOINT part")
            if isinstance(error, psycopg.DataError):
                raise fault(error, self.place) from error
            raise
        run.colour.do(run.link, "RELEASE SAVEPOINT part")

    @staticmethod
    def _undo(run: Run, link: Any) -> None:
        if link.closed or link.pgconn.transaction_status == TransactionStatus.IDLE:
            return
        with suppress(psycopg.Error):  # the connection is thrown away then, and the server undoes it by itself
            run.colour.do(link, "ROLLBACK")

    def check_replicated(self, link: Any) -> None:
        """Raise the `CommitUnknownError` if a connection stopped waiting for a synchronous standby."""
        if link.unreplicated:
            raise CommitUnknownError(
                f"{self.place} has committed, and no standby said that it has it",
                hint="read before you write again, and look after the synchronous standby",
            )
