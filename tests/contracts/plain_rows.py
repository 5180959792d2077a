"""A store in memory whose reserved rows stand in plain tables, none of them in a space."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from botwire_core.clock import Clock
from botwire_core.codec import Value, encode
from botwire_core.stores.dict import DictStore
from botwire_core.stores.reserved import ReservedRows, is_reserved
from botwire_core.stores.rows import TOMBSTONE, Row
from botwire_core.stores.spaces import Space

__all__ = ["PlainRowsStore"]


class PlainRowsStore(DictStore):
    """It notes what it was told beforehand, and which rows a write asked for that nobody had told it of."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.tables: dict[str, dict[str, Row]] = {}
        self.added = 0
        self.named: set[str] = set()
        """The namespaces that the last group was told of."""
        self.held: set[tuple[str, str]] = set()
        """What was loaded in the block that stands."""
        self.loaded: set[tuple[str, str]] = set()
        """What was ever loaded."""
        self.asked: list[tuple[str, str]] = []
        """What a write asked for without having loaded it."""

    def reserved(self, namespace: str) -> ReservedRows:
        return _PlainRows(self, namespace)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        outermost = not self._writing
        with super().exclusive():
            try:
                yield
            finally:
                if outermost:
                    self.held.clear()

    def grouped(self, namespaces: Collection[str] = ()) -> AbstractContextManager[None]:
        self.named = set(namespaces)
        return super().grouped(namespaces)

    def note(self, namespace: str, key: str) -> None:
        """Note that a row is asked for."""
        if self._writing and (namespace, key) not in self.held:
            self.asked.append((namespace, key))

    def change(self, namespace: str, key: str, row: Row | None) -> None:
        """Let a row stand in a table, or none, until the block is undone."""
        table = self.tables.setdefault(namespace, {})
        self._undo.append(partial(_put, table, key, table.get(key)))
        _put(table, key, row)

    # --- what has no business with reserved rows any more ----------------------------------------------------

    def find(self, name: str) -> Space | None:
        assert not is_reserved(name)
        return super().find(name)

    def create(self, name: str, *origin: object) -> Space:
        assert not is_reserved(name)
        return super().create(name, *origin)  # type: ignore[arg-type]  # handed on as they come

    def trim(self, space: Space, limit: int) -> int:
        raise NotImplementedError


def _put(table: dict[str, Row], key: str, row: Row | None) -> None:
    if row is None:
        table.pop(key, None)
    else:
        table[key] = row


class _PlainRows(ReservedRows):
    def __init__(self, store: PlainRowsStore, namespace: str) -> None:
        self._store = store
        self._namespace = namespace
        self._now = store.moment()
        self._written: dict[str, Row | None] = {}

    @property
    def now(self) -> int:
        return self._now

    @property
    def _table(self) -> dict[str, Row]:
        return self._store.tables.get(self._namespace, {})

    def _found(self, suits: Callable[[Row], bool]) -> list[Row]:
        return [row for _, row in sorted(self._table.items()) if suits(row)]

    def load(self, keys: Iterable[str]) -> None:
        loaded = {(self._namespace, key) for key in keys}
        self._store.held |= loaded
        self._store.loaded |= loaded

    def row(self, key: str) -> Row | None:
        self._store.note(self._namespace, key)
        row = self._written[key] if key in self._written else self._table.get(key)
        return row if row is not None and row.live(self.now) else None

    def rows(self, prefix: str) -> list[Row]:
        return self._found(lambda row: row.key.startswith(prefix) and row.live(self.now))

    def first_after(self, after: str) -> Row | None:
        return next(iter(self._found(lambda row: row.key > after)), None)

    def put(self, key: str, value: Value, expires: int | None) -> None:
        payload = encode(value)
        assert payload.codec != TOMBSTONE
        self._written[key] = Row(key, 1, 0, payload.codec, payload.data, self.now, self.now, expires)

    def add(self, log: str, value: Value, expires: int | None) -> None:
        self._store.added += 1
        self.put(f"{log}/{self._store.added:019d}", value, expires)

    def remove(self, keys: Iterable[str]) -> None:
        self._written.update(dict.fromkeys(keys))

    def commit(self) -> None:
        for key, row in self._written.items():
            self._store.change(self._namespace, key, row)
        self._written.clear()
        self._now = self._store.moment()

    def erase(self, keys: Iterable[str]) -> None:
        self.remove(keys)
        self.commit()

    def forget_expired(self, limit: int) -> int:
        expired = sorted(self._found(lambda row: not row.live(self.now)), key=lambda row: row.updated)[:limit]
        for row in expired:
            self._store.change(self._namespace, row.key, None)
        return len(expired)
