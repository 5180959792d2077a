"""Statements and transactions of the store on PostgreSQL, and the locks by which each namespace has one writer."""

from __future__ import annotations

from collections.abc import Iterable, Set
from contextlib import AbstractContextManager
from typing import Any

from botwire_core.stores.rows import StaleRead
from botwire_core.stores.spaces import Level, Space, View
from botwire_core.stores.sql.retention import SqlRetention
from botwire_postgres.database import Database

__all__ = ["LockedSpaces"]


class LockedSpaces(SqlRetention):
    """Whoever writes to a namespace locks its record first, so there is one writer for each, in any process."""

    _database: Database

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> int:
        return self._database.do(sql, values)

    def one(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        rows = self._database.every(sql, values)
        return rows[0] if rows else None

    def every(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        return self._database.every(sql, values)

    def do_many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Run a statement with each of these values, in an exclusive block."""
        if len(rows) == 1:
            self.execute(sql, rows[0])
        else:
            self._database.do_many(sql, rows)

    def exclusive(self) -> AbstractContextManager[None]:
        return self._database.transaction("write")

    def consistent(self) -> AbstractContextManager[None]:
        return self._database.transaction("read")

    def find(self, name: str) -> Space | None:
        self._lock([name])
        space = super().find(name)
        run = self._database.current()
        while space is not None and run is not None and run.writes and name not in run.locked:
            self._lock([name])  # somebody has made it since it was looked for
            space = super().find(name)
        return space

    def create(self, name: str, parent: Level | None, expires: int | None) -> Space:
        space = super().create(name, parent, expires)
        run = self._database.current()
        assert run is not None
        run.locked.add(name)  # nobody else sees it yet
        return space

    def _lock(self, names: Iterable[str]) -> None:
        """Lock the records of names in a transaction that writes, all of them in one order."""
        run = self._database.current()
        if run is None or not run.writes:
            return
        unlocked = sorted(set(names) - run.locked)
        found: list[Any] = []
        if len(unlocked) == 1:
            found = self.every("SELECT name FROM spaces WHERE name = ?1 FOR UPDATE", (unlocked[0],))
        elif unlocked:
            found = self.every("SELECT name FROM spaces WHERE name = ANY(?1) ORDER BY name FOR UPDATE", (unlocked,))
        run.locked.update(name for (name,) in found)

    def locked(self) -> Set[str]:
        """The names whose records are locked until the transaction ends."""
        run = self._database.current()
        return set() if run is None else run.locked

    def _lock_spaces(self, ids: list[int]) -> set[int]:
        """Lock the records of spaces, those without a name too, in one order, and give those that are there."""
        return {id for (id,) in self.every("SELECT id FROM spaces WHERE id = ANY(?1) ORDER BY id FOR UPDATE", (ids,))}

    def check_kept(self, view: View, prefix: str = "") -> None:
        run = self._database.current()
        if run is not None and run.writes:
            # What is found to be kept is about to be protected, in an ancestor that somebody else may prune meanwhile.
            self._lock_spaces([view[0].space])
        super().check_kept(view, prefix)

    def discard(self, space: Space) -> None:
        # Two last forks of one space that go at once would each take the other one for there still.
        if space.id not in self._lock_spaces([level.space for level in space.lineage]):
            raise StaleRead(space.name or "")  # it had expired, and somebody else has discarded it
        super().discard(space)

    def _reached_from(self, space: Space) -> list[Space]:
        # A fork that is made while we wait for a lock belongs to them too.
        known: list[int] = []
        while True:
            reached = super()._reached_from(space)
            ids = sorted(one.id for one in reached)
            if ids == known:
                return reached
            self._lock_spaces(ids)
            known = ids
