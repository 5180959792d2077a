"""Rows that a store with a past keeps for itself, in namespaces whose names no user can type.

Their names start with a dot, which `check_namespace` refuses. Only the newest version of a key is kept, and a deleted
one is forgotten at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from botwire_core.codec import Value, encode
from botwire_core.results import Retention
from botwire_core.stores.draft import Draft
from botwire_core.stores.primitives import HistoryPrimitives
from botwire_core.stores.rows import Row

__all__ = ["ReservedRows", "is_reserved"]

_KEPT: Final = Retention(versions=1, deleted_for=0)


def is_reserved(namespace: str) -> bool:
    """Whether a namespace is one of the store's own."""
    return namespace.startswith(".")


class ReservedRows:
    """The rows of one reserved namespace; what is written is stored by `commit`, in an exclusive block of the store."""

    def __init__(self, store: HistoryPrimitives, namespace: str) -> None:
        self._store = store
        self._namespace = namespace
        self._space = store.find(namespace)
        self._draft = self._new_draft()
        self._added = 0

    def _new_draft(self) -> Draft:
        return self._store.draft(self._namespace, self._space)

    @property
    def now(self) -> int:
        """The moment by which expiry is judged, microseconds since the epoch."""
        return self._draft.now

    def row(self, key: str) -> Row | None:
        """The live row of a key."""
        return self._draft.live(key)

    def rows(self, prefix: str) -> list[Row]:
        """The live rows that are stored under a prefix, in byte order of their keys."""
        if self._space is None:
            return []
        found = self._store.newest_rows(self._space.lineage, prefix, None, False)
        return [row for row in found if row.live(self.now)]

    def put(self, key: str, value: Value, expires: int | None) -> None:
        """Let a value stand at a key until it expires (microseconds since the epoch)."""
        draft = self._draft
        if draft.expect.get(key) == 0 and key not in draft.rows:  # looked for, and not there
            draft.put_new(key, encode(value), expires, None)
        else:
            draft.put(key, encode(value), expires, None)

    def add(self, log: str, value: Value, expires: int | None) -> None:
        """Put a value after all others that were added under a name."""
        # By the revision, which no other commit of the namespace has: so nobody has to look for the last one.
        revision = (self._space.head if self._space is not None else 0) + 1
        self._draft.put_new(f"{log}/{revision:019d}{self._added:06d}", encode(value), expires, None)
        self._added += 1

    def remove(self, keys: Iterable[str]) -> None:
        """Take keys away, those that are there."""
        for key in keys:
            self._draft.remove(key, None)

    def commit(self) -> None:
        """Store what was written, as one revision."""
        if not self._draft.rows:
            return
        if self._space is None:
            self._space = self._store.create(self._namespace, None, None)
            self._store.set_retention(self._space, _KEPT)
        self._store.insert(self._space, self._draft.rows.values(), self._space.head + 1)
        self._space = self._store.find(self._namespace)
        self._draft = self._new_draft()
        self._added = 0
