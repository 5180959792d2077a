"""One database: its connections, transactions, deadlines, and what is tried again."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final, Literal, TypeVar, cast
from weakref import WeakKeyDictionary

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg_pool import PoolTimeout

from botwire_core.errors import BotWireError, CommitUnknownError, StoreBusyError
from botwire_core.records import field, record
from botwire_core.stores.rows import StaleRead
from botwire_postgres.clock import DatabaseClock
from botwire_postgres.colours import AsyncColour, BlockingColour, Colour, Values
from botwire_postgres.faults import collided, fault, is_lost, is_read_only, is_stale_plan
from botwire_postgres.greenlets import run_beside_loop
from botwire_postgres.links import Link, Watchdog
from botwire_postgres.schema import check_schema_name, ensure_schema, qualified

__all__ = ["Database", "Run"]

A = TypeVar("A")
R = TypeVar("R")

_SLICE: Final = 1.0  # seconds of waiting for a connection, after which it is looked at why there is none
_PAUSE: Final = 0.05  # seconds
_MOST_COLLISIONS: Final = 100
_TIME: Final = "SELECT extract(epoch FROM clock_timestamp())::double precision"
_BEGIN: Final = {
    "write": "BEGIN ISOLATION LEVEL READ COMMITTED",
    "read": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}
_SETTINGS: Final = {
    "application_name": "botwire",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}


@record(frozen=False)
class Run:
    """One op on its way, with all that is tried again."""

    database: Database
    outer: Run | None
    colour: Colour
    deadline: float
    """By the monotonic clock."""
    link: Any = None
    """The connection of its transaction, while it has one."""
    writes: bool = False
    grouped: bool = False
    committing: bool = False
    """Whether something is under way that, once it is sent, may be done without an answer."""
    locked: set[str] = field(default_factory=set)
    """The names whose records are locked until the transaction ends."""
    places: dict[tuple[int, int], int] = field(default_factory=dict)
    """The next free place of each revision, by space, that the transaction has written rows of."""


_running: Final[ContextVar[Run | None]] = ContextVar("running", default=None)
_beside_loop: Final[ContextVar[AsyncColour | None]] = ContextVar("beside_loop", default=None)


class Database:
    """What all ops of a store on one database share."""

    def __init__(
        self, conninfo: str, *, schema: str, timeout: float, pool_size: int, prepared: bool | None, clock: DatabaseClock
    ) -> None:
        self.schema = check_schema_name(schema)
        self.timeout = timeout
        self.clock = clock
        given: dict[str, Any] = dict(conninfo_to_dict(conninfo))
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
        self._prepared = prepared
        self._spelled: dict[str, str] = {}
        self._ready = False
        self._watchdog = Watchdog()
        self._process = os.getpid()
        self._blocking: BlockingColour | None = None
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncColour] = WeakKeyDictionary()
        self._left_to_parent: list[object] = []

    # --- running --------------------------------------------------------------------------------------------

    def current(self) -> Run | None:
        """The op that runs here now, if it is one of this database."""
        run = _running.get()
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
                    self._get_ready(run)
                    return work(argument)
                except StaleRead as error:
                    self._pause_after_collision(run, attempt, again, error)
                except psycopg.Error as error:
                    self._judge(run, error, attempt, again)
        raise AssertionError("an attempt ends or raises")

    @contextmanager
    def _beginning(self) -> Iterator[Run]:
        colour = _beside_loop.get() or self._colour()
        token = _running.set(Run(self, _running.get(), colour, time.monotonic() + self.timeout))
        try:
            yield cast(Run, _running.get())
        finally:
            _running.reset(token)

    @contextmanager
    def at_once(self) -> Iterator[Link | None]:
        """A connection that is at hand for one statement of a thread; None where anything is out of the ordinary.

        What goes wrong is told as it is, and nothing is tried again.
        """
        link = None
        now = time.monotonic()
        colour = self._blocking
        if (
            colour is not None
            and self._ready
            and _running.get() is None
            and _beside_loop.get() is None
            and not self.clock.stale_at(now)
            and self._process == os.getpid()
        ):
            link = colour.at_hand()
        if link is None or colour is None:
            yield None
            return
        self._watchdog.watch(link, now + self.timeout)
        try:
            yield link
        except BaseException as error:
            if not isinstance(error, psycopg.Error):
                link.close()  # in the middle of an answer
            raise
        finally:
            self._watchdog.done(link)
            if link.stopped_at is not None:
                colour.discard(link)
            else:
                colour.give_back(link)

    async def arun(self, work: Callable[[A], R], argument: A, *, again: bool = True) -> R:
        """Async twin of `run`."""
        loop = asyncio.get_running_loop()
        self._after_fork()
        colour = self._loops.get(loop)
        if colour is None:
            self._leave_loops(asyncio.AbstractEventLoop.is_closed)
            colour = self._loops[loop] = AsyncColour(self._conninfo, self._pool_size, self._prepared)
        token = _beside_loop.set(colour)
        try:
            return await run_beside_loop(lambda one: self.run(work, one, again=again), argument)
        finally:
            _beside_loop.reset(token)

    def _judge(self, run: Run, error: psycopg.Error, attempt: int, again: bool) -> None:
        """Come back where the work is to be done again, else raise what is to be told."""
        if run.committing:
            raise self.cut_off() from error
        left = run.deadline - time.monotonic()
        if is_read_only(error):
            self._drop_connections(run)
        if is_stale_plan(error):
            self._prepared = False
            self._drop_connections(run)
        elif isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName) and self._ready:
            self._ready = False  # somebody dropped the schema: it is made anew
        elif not (collided(error) or is_lost(error) or is_read_only(error)) or isinstance(error, PoolTimeout):
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

    def _get_ready(self, run: Run) -> None:
        """See that the tables are there, and know the time."""
        if self._ready and not self.clock.stale_at(time.monotonic()):
            return
        if not self._ready:
            link = run.colour.connect()
            try:
                self._watchdog.watch(link, run.deadline)
                ensure_schema(
                    self.schema,
                    lambda sql, values: run.colour.every(link, sql, values),
                    lambda sql: run.colour.do(link, sql),
                )
                self.clock.measure(lambda: run.colour.every(link, _TIME, ())[0][0])
            finally:
                self._watchdog.done(link)
                link.pgconn.finish()
            self._ready = True
            return
        link = self._take(run)
        try:
            self.clock.measure(lambda: run.colour.every(link, _TIME, ())[0][0])
        finally:
            self._give_back(run, link)

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

    def _statement(self, kind: Literal["every", "do"], sql: str, values: Values) -> Any:
        run = self.current()
        if run is None:
            return self.run(lambda _: self._statement(kind, sql, values), None)
        spelled = self.as_it_is(sql)
        if run.link is not None:
            return getattr(run.colour, kind)(run.link, spelled, values)
        link = self._take(run)
        try:
            return getattr(run.colour, kind)(link, spelled, values)
        finally:
            self._give_back(run, link)

    def write_alone(self, sql: str, values: Values) -> list[Any]:
        """The rows of a statement that writes and is its own commit, or a part of the transaction that there is."""
        run = self.current()
        assert run is not None
        spelled = self.as_it_is(sql)
        if run.link is not None:
            return run.colour.every(run.link, spelled, values)
        link = self._take(run)
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
            self._give_back(run, link)

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
                    self._get_ready(run)
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
        link = self._take(run)
        run.link, run.writes = link, kind == "write"
        run.locked, run.places = set(), {}
        try:
            try:
                run.colour.do(link, _BEGIN[kind])
                yield
                run.committing = run.writes
                run.colour.do(link, "COMMIT")
                run.committing = False
            except BaseException as error:
                if isinstance(error, psycopg.Error) and run.committing:
                    run.committing = is_lost(error)
                self._undo(run, link)
                raise
            if kind == "write":
                self.check_replicated(link)
        finally:
            run.link, run.writes, run.grouped = None, False, False
            self._give_back(run, link)

    @contextmanager
    def _part(self, run: Run) -> Iterator[None]:
        locked, places = set(run.locked), dict(run.places)
        run.colour.do(run.link, "SAVEPOINT part")
        try:
            yield
        except (BotWireError, psycopg.DataError) as error:
            run.locked, run.places = locked, places  # the locks of a part go with it
            run.colour.do(run.link, "ROLLBACK TO SAVEPOINT part")
            run.colour.do(run.link, "RELEASE SAVEPOINT part")
            if isinstance(error, psycopg.DataError):
                raise fault(error, self.place) from error
            raise
        # What else the server says, of a connection or of a collision, is the affair of all that is done together.
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

    # --- connections ------------------------------------------------------------------------------------------

    def _take(self, run: Run) -> Any:
        while True:
            left = run.deadline - time.monotonic()
            try:
                link = run.colour.take(max(0.01, min(_SLICE, left)))
            except PoolTimeout:
                if left > _SLICE and run.colour.pool_is_full():
                    continue
                if not run.colour.pool_is_full():
                    run.colour.connect().pgconn.finish()  # to learn what is in the way
                if left > _SLICE:
                    continue
                raise
            if not link.has_gone():
                self._watchdog.watch(link, run.deadline)
                return link
            run.colour.discard(link)

    def _give_back(self, run: Run, link: Any) -> None:
        self._watchdog.done(link)
        if link.stopped_at is not None:
            run.colour.discard(link)  # what was to stop this one must not stop the next
        else:
            run.colour.give_back(link)

    def _drop_connections(self, run: Run) -> None:
        """Let go of all connections that nobody uses: they lead to a server that is not what it was."""
        run.colour.drain()

    def _colour(self) -> BlockingColour:
        self._after_fork()
        if self._blocking is None:
            self._blocking = BlockingColour(self._conninfo, self._pool_size, self._prepared)
        return self._blocking

    def _after_fork(self) -> None:
        """Leave the connections of a parent to it: in a forked child there are none."""
        if self._process != os.getpid():
            self._left_to_parent += [self._blocking, self._loops, self._watchdog]
            self._blocking, self._loops, self._watchdog = None, WeakKeyDictionary(), Watchdog()
            self._process = os.getpid()

    def _leave_loops(self, has_ended: Callable[[asyncio.AbstractEventLoop], bool]) -> None:
        """Close the connections of event loops that do so themselves no more."""
        for loop in [one for one in self._loops if has_ended(one)]:
            self._loops.pop(loop).abandon()

    def close(self) -> None:
        """Close the connections of all threads, and of event loops that do not run."""
        self._after_fork()
        self._leave_loops(lambda loop: not loop.is_running())
        colour, self._blocking = self._blocking, None
        if colour is not None:
            colour.close()
        if not self._loops:
            self._watchdog.close()

    async def aclose(self) -> None:
        """Close the connections of this event loop, and those of all threads."""
        self._after_fork()
        colour = self._loops.pop(asyncio.get_running_loop(), None)
        if colour is not None:
            await colour.close()
        await asyncio.to_thread(self.close)
