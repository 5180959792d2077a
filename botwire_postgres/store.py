"""`PostgresStore`: one database, many threads, event loops, processes and machines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import psycopg

from botwire_core import protocol as p
from botwire_core.clock import Clock
from botwire_core.errors import BotWireError
from botwire_core.stores.threads import run_in_thread, to_the_end
from botwire_postgres.at_once import AT_ONCE, BESIDE_LOOP, UNDONE, OpsAtOnce
from botwire_postgres.clock import DatabaseClock
from botwire_postgres.database import Database
from botwire_postgres.together import SetsTogether

if TYPE_CHECKING:
    from botwire_postgres.health import PostgresHealth

__all__ = ["DEFAULT_TIMEOUT", "PostgresStore"]

R = TypeVar("R")

DEFAULT_TIMEOUT: Final = 30.0
_STREAMS: Final[frozenset[type]] = frozenset({p.ExportAll, p.ExportFamily, p.Import, p.ImportFamily})
_READS: Final[frozenset[type]] = frozenset(
    {p.Get, p.GetEntry, p.TimeLeft, p.GetMany, p.ListKeys, p.ListEntries, p.ReadLog, p.Search, p.GetStats}
    | {p.ListSnapshots, p.Resolve, p.GetHistory, p.Compare, p.ListChanges, p.Export, p.ListNamespaces, p.GetRetention}
)


class PostgresStore(SetsTogether, OpsAtOnce):
    """The store on PostgreSQL: what was acknowledged is committed, on as many machines as the database makes it.

    Args:
        conninfo: Where the database is, as libpq takes it: a `postgresql://` URL, or `host=... dbname=...`. Only a
            server that takes writes is used.
        schema: Where the tables stand; they are made at the first use.
        timeout: Seconds for each op, with all that is tried again.
        pool_size: The most connections of this process; an event loop has as many of its own.
        prepared: Whether statements are prepared; None for "unless there is a pooler in between".
        clock: Gives epoch seconds; without it, the database's clock counts.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        schema: str = "botwire",
        timeout: float = DEFAULT_TIMEOUT,
        pool_size: int = 10,
        prepared: bool | None = None,
        clock: Clock | None = None,
    ) -> None:
        databases_clock = DatabaseClock()
        super().__init__(clock=databases_clock if clock is None else clock)
        self._database = Database(
            conninfo, schema=schema, timeout=timeout, pool_size=pool_size, prepared=prepared, clock=databases_clock
        )
        self._lineages = {}
        self._known = {}

    def __repr__(self) -> str:
        return f"PostgresStore({self._database.place!r}, schema={self._database.schema!r})"

    def run(self, op: p.Op[R]) -> R:
        """Run an op and give its result."""
        at_once = AT_ONCE.get(type(op))
        if at_once is not None:
            done = at_once(self, op)
            if done is not UNDONE:
                return cast(R, done)
        runner = self._runners.get(type(op)) or self._late_runner(op)
        result: R = self._database.run(self._sweeping(op, runner), op, again=type(op) not in _STREAMS)
        return result

    async def arun(self, op: p.Op[R]) -> R:
        """Run an op beside the event loop; a cancelled write waits for its outcome, then raises."""
        kind = type(op)
        if kind in _STREAMS:  # they read or write files
            return await run_in_thread(self.run, op)
        if kind in BESIDE_LOOP:
            read = await self.read_beside_loop(op)
            if read is not UNDONE:
                return cast(R, read)
        elif kind is p.Set:
            written_at_once = await to_the_end(self.set_beside_loop(cast(p.Set, op)))
            if written_at_once is not UNDONE:
                return cast(R, written_at_once)
        runner = self._runners.get(kind) or self._late_runner(op)
        if kind in _READS or kind in self._late_reads:
            reading: R = await self._database.arun(runner, op)
            return reading
        written: R = await to_the_end(self._database.arun(self._sweeping(op, runner), op))
        return written

    def _sweeping(self, op: p.Op[Any], runner: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """What runs an op, and sweeps after it where that is due."""
        if type(op) in _READS or self._database.current() is not None or not self.sweep_is_due():
            return runner

        def run(op: p.Op[Any]) -> Any:
            result = runner(op)
            with suppress(psycopg.Error, BotWireError):  # the op is done, and the next sweep comes to the same
                self.sweep_some()
            return result

        return run

    def health(self) -> PostgresHealth:
        """Look at the tables, all of one moment, and tell how they are; makes none. The `timeout` bounds each look.

        Raises:
            StoreUnavailableError: the database cannot be reached, or the user may not look.
            SchemaTooNewError: a newer BotWire made the tables, and says that this one cannot work with them.
        """
        from botwire_postgres.health import look

        return look(self._database)

    def close(self) -> None:
        """Close the connections of all threads; the store opens new ones if it is used again."""
        self._database.close()

    async def aclose(self) -> None:
        """Close the connections of this event loop and of all threads."""
        await self._database.aclose()

    @contextmanager
    def grouped(self, namespaces: Collection[str] = ()) -> Iterator[None]:
        with self._database.transaction("write"):
            run = self._database.current()
            assert run is not None
            run.grouped = True
            self._lock(namespaces)
            yield

    def grouping(self) -> bool:
        run = self._database.current()
        return run is not None and run.grouped and run.link is not None
