"""The rows that a store keeps for itself, in a table of their own: only who wants the same row waits for another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from botwire_core.codec import Value, encode
from botwire_core.names import end_of_prefix
from botwire_core.stores.primitives import REPLAYS
from botwire_core.stores.reserved import ReservedRows
from botwire_core.stores.rows import Row

if TYPE_CHECKING:
    from botwire_postgres.tables import PostgresTables

__all__ = ["TableRows"]

_COLUMNS: Final = "key, codec, value, created, updated, expires"
_FREE: Final = 0
"""The codec of a row that holds a place in the table for whoever locked it, and nothing else."""


class TableRows(ReservedRows):
    """The rows under one reserved name."""

    def __init__(self, store: PostgresTables, namespace: str) -> None:
        self._store = store
        self._namespace = namespace
        self._now = store.moment()
        self._stored: dict[str, Row | None] = {}
        """What was read, by key; None where nothing stands."""
        self._written: dict[str, Row | None] = {}
        self._added = 0

    @property
    def now(self) -> int:
        return self._now

    # --- reads ----------------------------------------------------------------------------------------------

    def load(self, keys: Iterable[str]) -> None:
        wanted = sorted({key for key in keys if key not in self._stored})
        if not wanted:
            return
        if not self._are_held(wanted):
            self._put_placeholders(wanted)
        found = self._store.every(
            "SELECT key, codec, value, created, updated, expires FROM reserved"
            " WHERE namespace = ?1 AND key = ANY(?2) ORDER BY key FOR UPDATE",
            (self._namespace, wanted),
        )
        self._stored.update(dict.fromkeys(wanted))
        self._stored.update((columns[0], _row(columns)) for columns in found)

    def _are_held(self, keys: list[str]) -> bool:
        """Whether nobody else can put anything at these keys: those of answers begin with a namespace."""
        if self._namespace != REPLAYS:
            return False
        locked = self._store.locked()
        return all(key.partition("/")[0] in locked for key in keys)

    def _put_placeholders(self, wanted: list[str]) -> None:
        # A row that is not there cannot be locked. So one is put there, which everybody else takes for none, in the
        # order of keys: two who want the same rows do not wait for each other.
        self._store.execute(
            "INSERT INTO reserved (namespace, key, created, updated, codec, value, expires)"
            " SELECT ?1, key, ?3, ?3, 0, '', ?3 FROM unnest(?2::text[]) AS key ORDER BY key"
            " ON CONFLICT (namespace, key) DO NOTHING",
            (self._namespace, wanted, self._now),
        )

    def row(self, key: str) -> Row | None:
        row = self._written[key] if key in self._written else self._read(key)
        return row if row is not None and row.live(self._now) else None

    def _read(self, key: str) -> Row | None:
        if key not in self._stored:
            found = self._store.one(
                "SELECT key, codec, value, created, updated, expires FROM reserved WHERE namespace = ?1 AND key = ?2",
                (self._namespace, key),
            )
            self._stored[key] = None if found is None else _row(found)
        return self._stored[key]

    def rows(self, prefix: str) -> list[Row]:
        end = end_of_prefix(prefix) if prefix else None
        select = f"SELECT {_COLUMNS} FROM reserved WHERE namespace = ?1 AND key >= ?2"
        if end is None:
            found = self._store.every(f"{select} ORDER BY key", (self._namespace, prefix))
        else:
            found = self._store.every(f"{select} AND key < ?3 ORDER BY key", (self._namespace, prefix, end))
        return [row for row in map(_row, found) if row.live(self._now)]

    def first_after(self, after: str) -> Row | None:
        found = self._store.one(
            f"SELECT {_COLUMNS} FROM reserved WHERE namespace = ?1 AND key > ?2 AND codec > 0 ORDER BY key LIMIT 1",
            (self._namespace, after),
        )
        return None if found is None else _row(found)

    # --- writes ---------------------------------------------------------------------------------------------

    def put(self, key: str, value: Value, expires: int | None) -> None:
        before = self.row(key)
        payload = encode(value)
        created = self._now if before is None else before.created
        self._written[key] = Row(key, 1, 1, payload.codec, payload.data, created, self._now, expires)

    def add(self, log: str, value: Value, expires: int | None) -> None:
        last = self._store.one(
            "SELECT key FROM reserved WHERE namespace = ?1 AND key >= ?2 AND key < ?3 ORDER BY key DESC LIMIT 1",
            (self._namespace, f"{log}/", f"{log}0"),
        )
        number = 0 if last is None else int(last[0].rpartition("/")[2][:19]) + 1
        self.put(f"{log}/{number:019d}{self._added:06d}", value, expires)
        self._added += 1

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            if self.row(key) is not None:
                self._written[key] = None

    def commit(self) -> None:
        gone = [key for key, row in self._written.items() if row is None]
        if gone:
            self._delete(gone)
        rows = [self._bound(row) for _, row in sorted(self._written.items()) if row is not None]
        if rows:
            self._store.do_many(
                "INSERT INTO reserved (namespace, key, codec, value, created, updated, expires)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (namespace, key) DO UPDATE SET codec ="
                " excluded.codec, value = excluded.value, created = excluded.created, updated = excluded.updated,"
                " expires = excluded.expires",
                rows,
            )
        self._stored.update(self._written)
        self._written = {}
        self._now = max(self._now, self._store.moment())
        self._added = 0

    def _bound(self, row: Row) -> tuple[Any, ...]:
        return self._namespace, row.key, row.codec, row.data, row.created, row.updated, row.expires

    def erase(self, keys: Iterable[str]) -> None:
        self.commit()
        gone = list(keys)
        self._delete(gone)
        self._stored.update(dict.fromkeys(gone))

    def _delete(self, keys: list[str]) -> None:
        self._store.execute("DELETE FROM reserved WHERE namespace = ?1 AND key = ANY(?2)", (self._namespace, keys))

    def forget_expired(self, limit: int) -> int:
        return self._store.execute(
            "DELETE FROM reserved WHERE namespace = ?1 AND key IN (SELECT key FROM reserved WHERE namespace = ?1"
            " AND expires <= ?2 ORDER BY expires LIMIT ?3 FOR UPDATE SKIP LOCKED)",
            (self._namespace, self._now, limit),
        )


def _row(columns: tuple[Any, ...]) -> Row:
    key, codec, value, created, updated, expires = columns
    return Row(key, 1, 1, codec, value, created, updated, expires)
