"""`SqliteStore`: one file, many threads, many processes."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

import apsw

from botwire_core import protocol as p
from botwire_core.clock import Clock
from botwire_core.errors import BotWireError, StoreCorruptError
from botwire_core.stores.spaces import Space
from botwire_core.stores.sql.records import damaged
from botwire_core.stores.sqlite.connections import Connections, Durability
from botwire_core.stores.sqlite.faults import fault, is_lost
from botwire_core.stores.sqlite.health import StoreHealth
from botwire_core.stores.sqlite.rows import COLUMNS, row_from
from botwire_core.stores.sqlite.schema import SCHEMA_VERSION
from botwire_core.stores.sqlite.search import QuickSearch
from botwire_core.stores.threads import run_in_thread

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["DEFAULT_TIMEOUT", "SqliteStore"]

R = TypeVar("R")

DEFAULT_TIMEOUT: Final = 30.0
_SWEEP_EVERY = 128  # writes
_SWEEP_SECONDS = 60.0
_CLOCKS_APART = 3600.0
_READS: Final[frozenset[type]] = frozenset(
    {p.GetMany, p.ListKeys, p.ListEntries, p.ReadLog, p.Search, p.GetStats, p.ListSnapshots, p.Resolve, p.GetHistory}
    | {p.Compare, p.ListChanges, p.Export, p.ListNamespaces, p.GetRetention, p.ExportAll, p.ExportFamily}
)
_POINT_READS: Final[frozenset[type]] = frozenset({p.Get, p.GetEntry, p.TimeLeft})


class SqliteStore(QuickSearch):
    """The embedded store: what was acknowledged is in the file, and survives a power cut.

    Args:
        path: The file; it and its folder are made, as private ones, at the first use.
        durability: "full" syncs each commit to the disk; "normal" does not, and a power cut may take the last ones.
        timeout: Seconds that a write waits for other writers, of any process.
        clock: Gives epoch seconds.
        monotonic: Gives seconds that no change of the wall clock moves. Where the two drift apart by an hour, the
            wall clock was set, and nothing is swept off the disk by it any more.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "full",
        timeout: float = DEFAULT_TIMEOUT,
        clock: Clock | None = None,
        monotonic: Clock = time.monotonic,
    ) -> None:
        super().__init__(clock=clock)
        # Asking for the working folder counts as blocking, and a store may be made inside an event loop.
        self.path = os.fspath(path) if os.path.isabs(path) else os.path.abspath(path)
        self._connections = Connections(self.path, durability, timeout)
        self._lineages = {}
        self._gets = {}
        self._monotonic = monotonic
        self._offset: float | None = None
        self._swept_expired = self._swept_deleted = (0, 0)
        self._writes_since_sweep = 0
        self._last_sweep: float | None = None
        self._pools: tuple[int, ThreadPoolExecutor, ThreadPoolExecutor] | None = None

    def __repr__(self) -> str:
        return f"SqliteStore({self.path!r}, durability={self._connections.durability!r})"

    # --- running ops -------------------------------------------------------------------------------------

    def run(self, op: p.Op[R]) -> R:
        """Run an op and give its result."""
        runner = self._runners.get(type(op)) or self._late_runner(op)
        try:
            return cast(R, runner(op))
        except apsw.Error as error:
            raise self._fault(error) from error
        except UnicodeDecodeError as error:
            raise self._undecodable() from error
        except StoreCorruptError as error:
            raise self._named(error, op) from error.__cause__

    async def arun(self, op: p.Op[R]) -> R:
        """Run an op beside the event loop; a cancelled write waits for its outcome, then raises.

        A look at one key runs at once, on the loop's own thread: it takes some microseconds, and a hop to a thread
        and back some hundred.
        """
        kind = type(op)
        if kind in _POINT_READS or kind in self._late_point_reads:
            if self._connections.ready():
                return self.run(op)
            with self._connections.opening() as first:
                if first:
                    self._connections.adopt(await run_in_thread(self._open_one, None, self._pool(writer=False)))
                    return self.run(op)
        reads = kind in _READS or kind in _POINT_READS or kind in self._late_reads
        return await run_in_thread(self.run, op, self._pool(writer=not reads))

    def close(self) -> None:
        """Close the file in all threads; the store opens it again if it is used again."""
        pools, self._pools = self._pools, None
        if pools is not None and pools[0] == os.getpid():
            for pool in pools[1:]:
                pool.shutdown()
        self._connections.close()

    def _open_one(self, _: None) -> apsw.Connection:
        return self._connections.open()

    def _pool(self, *, writer: bool) -> ThreadPoolExecutor:
        # One thread for writes, since they go one after the other anyhow, and reads do not queue behind them.
        pools = self._pools
        if pools is None or pools[0] != os.getpid():  # the threads of a parent are not in its child
            from concurrent.futures import ThreadPoolExecutor

            pools = self._pools = (
                os.getpid(),
                ThreadPoolExecutor(1, "botwire-writer"),
                ThreadPoolExecutor(2, "botwire-reader"),
            )
        return pools[1] if writer else pools[2]

    # --- transactions ----------------------------------------------------------------------------------------

    def exclusive(self) -> AbstractContextManager[None]:
        return self._transaction() if self.group_of is None or not self.grouping() else self._savepoint(self.group_of)

    def grouped(self, namespaces: Collection[str] = ()) -> AbstractContextManager[None]:
        return self._transaction(of_many=True)

    def grouping(self) -> bool:
        connection = self.group_of
        ours = self._connections.ready() and self._connections.current() is connection
        return connection is not None and ours and connection.in_transaction

    @contextmanager
    def _savepoint(self, connection: apsw.Connection) -> Iterator[None]:
        connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self._made_space:
                self._forget_new_spaces()
            if self.grouping():  # SQLite undoes all of it where the disk fails
                connection.execute("ROLLBACK TO part")
                connection.execute("RELEASE part")
            raise
        connection.execute("RELEASE part")

    @contextmanager
    def _transaction(self, *, of_many: bool = False) -> Iterator[None]:
        connection = self._connections.current()
        lock = self._connections.lock
        committing = False
        lock.acquire(connection.in_transaction)
        try:
            try:
                # Within the block, since Ctrl-C strikes as soon as a call is done: what it began has to end.
                connection.execute("BEGIN IMMEDIATE")
                if of_many:
                    self.group_of, self._made_space = connection, False
                yield
                if self.sweep_is_due():
                    self._sweep_in_passing()
                committing = True
                connection.execute("COMMIT")
            except BaseException as error:
                self._forget_new_spaces()
                if self._in_transaction(connection):
                    connection.execute("ROLLBACK")
                if committing and isinstance(error, apsw.Error):
                    raise self._fault(error, committing=True) from error
                raise
        finally:
            if of_many:
                self.group_of = None
            lock.release()

    @staticmethod
    def _in_transaction(connection: apsw.Connection) -> bool:
        try:
            return connection.in_transaction
        except apsw.ConnectionClosedError:  # in the middle of many parts, after an error of one
            return False

    def _forget_new_spaces(self) -> None:
        # The id of a space that is rolled back goes to the next one that is made, with another lineage.
        self._lineages.clear()
        self._gets.clear()

    @contextmanager
    def consistent(self) -> Iterator[None]:
        connection = self._connections.current()
        inside: bool = connection.in_transaction
        try:
            if not inside:
                connection.execute("BEGIN")
            yield
        finally:
            if not inside and connection.in_transaction:  # SQLite ends it itself where the disk fails
                connection.execute("COMMIT")

    def sweep_is_due(self) -> bool:
        if self._writes_since_sweep >= _SWEEP_EVERY or self._last_sweep is None:
            return True
        self._writes_since_sweep += 1
        return self._monotonic() - self._last_sweep >= _SWEEP_SECONDS

    def _sweep_in_passing(self) -> None:
        self._writes_since_sweep = 0
        self._last_sweep = self._monotonic()
        if self._clock_is_trusted():
            self.sweep_some(64)

    def _clock_is_trusted(self) -> bool:
        offset = self._now() / 1_000_000 - self._monotonic()
        if self._offset is None:
            self._offset = offset
        return abs(offset - self._offset) < _CLOCKS_APART

    def trim(self, space: Space, limit: int) -> int:
        return super().trim(space, limit) if self._clock_is_trusted() else 0

    def after_purge(self) -> None:
        try:
            super().after_purge()
        except apsw.Error as error:  # what it comes after is committed, so it is nothing that a whole op ends in
            raise self._fault(error) from error

    def sweep(self) -> int:
        """Take everything off the disk that nobody can see any more; gives how many rows, forks and snapshots went."""
        total = 0
        self._swept_expired = self._swept_deleted = (0, 0)
        while self._clock_is_trusted():
            with self.exclusive():
                went = self.sweep_some(1000)
            total += went
            if not went and self._swept_expired == self._swept_deleted == (0, 0):
                break
        return total

    # --- health ---------------------------------------------------------------------------------------------------

    def health(self) -> StoreHealth:
        """Look at the whole file: SQLite's own check, and every checksum."""
        try:
            connection = self._connections.current()
            problems = [text for (text,) in connection.execute("PRAGMA integrity_check(10)") if text != "ok"]
            count = 0
            for columns in connection.execute(f"SELECT {COLUMNS} FROM versions"):
                count += 1
                try:
                    row_from(columns)
                except StoreCorruptError as error:
                    problems.append(error.message)
                    if len(problems) >= 10:
                        break
            namespaces = connection.execute("SELECT count(*) FROM spaces WHERE name NOT GLOB '.*'").get
            try:
                for space in self.find_all(""):
                    self.list_snapshots(space)
                    self.merge_points(space)
            except StoreCorruptError as error:
                problems.append(error.message)
        except apsw.Error as error:
            raise self._fault(error) from error
        except UnicodeDecodeError as error:
            raise self._undecodable() from error
        size = sum(os.path.getsize(f"{self.path}{end}") for end in ("", "-wal") if os.path.exists(f"{self.path}{end}"))
        return StoreHealth(
            self.path,
            size,
            apsw.sqlite_lib_version(),
            self._connections.durability,
            SCHEMA_VERSION,
            namespaces,
            count,
            "; ".join(problems) or "ok",
        )

    # --- errors -----------------------------------------------------------------------------------------------------

    def commit_fault(self, error: apsw.Error) -> BotWireError:
        return self._fault(error, committing=True)

    def _fault(self, error: apsw.Error, *, committing: bool = False) -> BotWireError:
        number = 0
        if self._connections.ready():
            connection = self._connections.current()
            try:
                number = connection.system_errno
                lost = is_lost(error) and not connection.in_transaction
            except apsw.ConnectionClosedError:  # by `close` in another thread
                lost = True
            if lost:
                self._connections.forget()
        return fault(error, self.path, system_errno=number, committing=committing)

    def _undecodable(self) -> StoreCorruptError:
        return damaged(self.path)  # all text was UTF-8 when it was stored; SQLite gives it as it finds it

    @staticmethod
    def _named(error: StoreCorruptError, op: Any) -> StoreCorruptError:
        namespace = getattr(op, "namespace", None)
        if namespace is None or repr(namespace) in error.message:
            return error
        return StoreCorruptError(f"{error.message}, seen from {namespace!r}", hint=error.hint)

    CONSISTENT: ClassVar[frozenset[type]] = _READS - {p.GetRetention}
