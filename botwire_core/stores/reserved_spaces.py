"""Reserved rows as rows of a space, which every store with a past has: with its checksums, expiry and transactions.

Only the newest version of a key is kept, and a deleted one is forgotten at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from botwire_core.codec import Value, encode
from botwire_core.results import Retention
from botwire_core.stores.draft import Draft
from botwire_core.stores.primitives import HistoryPrimitives
from botwire_core.stores.reserved import ReservedRows
from botwire_core.stores.rows import Row

__all__ = ["SpaceReservedRows"]

_KEPT: Final = Retention(versions=1, deleted_for=0)


class SpaceReservedRows(ReservedRows):
    """The rows of one reserved namespace, in a space of that name that is made with the first of them."""

    def __init__(self, store: HistoryPrimitives, namespace: str) -> None:
        self._store = store
        self._namespace = namespace
        self._look()

    def _look(self) -> None:
        """Go on from how the space is now."""
        self._space = self._store.find(self._namespace)
        self._draft: Draft = self._store.draft(self._namespace, self._space)
        self._added = 0

    @property
    def now(self) -> int:
        return self._draft.now

    def load(self, keys: Iterable[str]) -> None:
        """Nothing: in an exclusive block nobody else writes."""

    def row(self, key: str) -> Row | None:
        return self._draft.live(key)

    def rows(self, prefix: str) -> list[Row]:
        if self._space is None:
            return []
        found = self._store.newest_rows(self._space.lineage, prefix, None, False)
        return [row for row in found if row.live(self.now)]

    def first_after(self, after: str) -> Row | None:
        if self._space is None:
            return None
        return next(iter(self._store.newest_rows(self._space.lineage, "", after, False)), None)

    def put(self, key: str, value: Value, expires: int | None) -> None:
        draft = self._draft
        if draft.expect.get(key) == 0 and key not in draft.rows:  # looked for, and not there
            draft.put_new(key, encode(value), expires, None)
        else:
            draft.put(key, encode(value), expires, None)

    def add(self, log: str, value: Value, expires: int | None) -> None:
        # By the revision, which no other commit of the namespace has: so nobody has to look for the last one.
        revision = (self._space.head if self._space is not None else 0) + 1
        self._draft.put_new(f"{log}/{revision:019d}{self._added:06d}", encode(value), expires, None)
        self._added += 1

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._draft.remove(key, None)

    def commit(self) -> None:
        if not self._draft.rows:
            return
        if self._space is None:
            self._space = self._store.create(self._namespace, None, None)
            self._store.set_retention(self._space, _KEPT)
        self._store.insert(self._space, self._draft.rows.values(), self._space.head + 1)
        self._look()

    def erase(self, keys: Iterable[str]) -> None:
        self.commit()
        if self._space is None:
            return
        for key in keys:
            # It reaches what stands under a key, too; no reserved row stands under another one.
            self._store.erase([self._space], key)
        self._look()

    def forget_expired(self, limit: int) -> int:
        return 0 if self._space is None else self._store.trim(self._space, limit)
