"""Stores with one seeded bug each, for what has to find it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from contracts.tiny import TinyStore

from botwire_core.stores.dict import DictStore
from botwire_core.stores.rows import Batch, Row


class LosesZeroes(TinyStore):
    """Reads -0.0 as 0.0."""

    def read(self, namespace: str, key: str) -> Row | None:
        row = super().read(namespace, key)
        return replace(row, data=b"0.0") if row and row.data == b"-0.0" else row


class FoldsCase(TinyStore):
    def read(self, namespace: str, key: str) -> Row | None:
        return super().read(namespace, key.lower())

    def commit(self, batch: Batch) -> None:
        rows = tuple(replace(row, key=row.key.lower()) for row in batch.rows)
        super().commit(replace(batch, rows=rows, expect={}))


class ForgetsDeletes(TinyStore):
    """Keeps no tombstones, so versions start anew."""

    def commit(self, batch: Batch) -> None:
        super().commit(batch)
        rows = self.spaces[batch.namespace]
        self.spaces[batch.namespace] = {key: row for key, row in rows.items() if row.codec}


class TakesPrefixesForPatterns(TinyStore):
    def scan(self, namespace: str, prefix: str, after: str | None, reverse: bool) -> Iterable[Row]:
        pattern = prefix.replace("_", "?").replace("%", "*") + "*"
        rows = super().scan(namespace, "", after, reverse)
        return [row for row in rows if fnmatchcase(row.key, pattern)]


class IncludesAfter(TinyStore):
    def scan(self, namespace: str, prefix: str, after: str | None, reverse: bool) -> Iterable[Row]:
        rows = super().scan(namespace, prefix, None, reverse)
        return [row for row in rows if after is None or (row.key <= after if reverse else row.key >= after)]


class SortsByLetters(TinyStore):
    def scan(self, namespace: str, prefix: str, after: str | None, reverse: bool) -> Iterable[Row]:
        rows = list(super().scan(namespace, prefix, after, reverse))
        return sorted(rows, key=lambda row: row.key.casefold(), reverse=reverse)


class SharesNamespaces(TinyStore):
    def read(self, namespace: str, key: str) -> Row | None:
        return super().read(namespace.lower(), key)

    def scan(self, namespace: str, prefix: str, after: str | None, reverse: bool) -> Iterable[Row]:
        return super().scan(namespace.lower(), prefix, after, reverse)

    def commit(self, batch: Batch) -> None:
        super().commit(replace(batch, namespace=batch.namespace.lower()))


class TakesAnyBatch(TinyStore):
    """Does not look whether somebody wrote meanwhile."""

    def commit(self, batch: Batch) -> None:
        super().commit(replace(batch, expect={}))


class CommitsStepByStep(TinyStore):
    """Half of a batch is there before the other half."""

    def commit(self, batch: Batch) -> None:
        for row in batch.rows:
            expect = {key: version for key, version in batch.expect.items() if key == row.key}
            super().commit(Batch(batch.namespace, (row,), expect))


class ExpiresLate(TinyStore):
    def read(self, namespace: str, key: str) -> Row | None:
        row = super().read(namespace, key)
        return replace(row, expires=row.expires + 1) if row and row.expires else row


class KeepsExpiry(TinyStore):
    """A set without a time to live leaves the old one."""

    def commit(self, batch: Batch) -> None:
        old = self.spaces.get(batch.namespace, {})
        rows = tuple(
            replace(row, expires=row.expires or old[row.key].expires) if row.key in old else row for row in batch.rows
        )
        super().commit(replace(batch, rows=rows))


class FollowsTheClockBack(TinyStore):
    def __init__(self, *, clock: Any) -> None:
        super().__init__(clock=clock)
        self._now = lambda: int(clock() * 1_000_000)  # type: ignore[assignment]


class GivesOneObject(TinyStore):
    """Caches values and hands the same object out."""

    def __init__(self, *, clock: Any) -> None:
        super().__init__(clock=clock)
        self.values: dict[bytes, Any] = {}

    def _value(self, namespace: str, row: Row) -> Any:
        return self.values.setdefault(row.data, super()._value(namespace, row))


class UsesNumbersAgain(TakesAnyBatch):
    def next_number(self, draft: Any, log: str) -> int:
        return len([row for row in self.scan(draft.namespace, f"{log}/", None, False) if row.codec])


class StopsAtPages(TinyStore):
    """Reads one page and takes it for all."""

    def scan(self, namespace: str, prefix: str, after: str | None, reverse: bool) -> Iterable[Row]:
        return list(super().scan(namespace, prefix, after, reverse))[:50]


class DiesWhenClosed(TinyStore):
    def close(self) -> None:
        self.spaces.clear()


class LeaksForks(DictStore):
    """The rows of a parent that come after the fork shine through."""

    def key_rows(self, view: Any, key: str) -> Iterator[Row]:
        return super().key_rows(tuple(replace(level, upto=None) for level in view), key)


class ForgetsMerges(DictStore):
    def merge_point(self, target: Any, source: Any, keys: str) -> int | None:
        return None


class ErasesOnlyHere(DictStore):
    def erase(self, spaces: Any, target: str) -> tuple[set[str], int]:
        return super().erase(spaces[:1], target)


class NeverUndoes(DictStore):
    def exclusive(self) -> Any:
        return self._lock
