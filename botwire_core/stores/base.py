"""`StoreBase`: every core op, derived from three primitives.

The author of a store gives `read`, `scan` and `commit`; this class gives versions, expiry, logs, paging, search,
transactions and both colours. Reads and the commit that relies on them are tied together optimistically: a batch
says which versions it read, `commit` refuses it with `StaleRead` if one has changed, and the op is run again.
A store that can lock instead overrides `write`.
"""

from __future__ import annotations

import heapq
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, ClassVar, TypeVar, cast

from botwire_core import protocol as p
from botwire_core.arguments import check_limit, check_ttl, check_version
from botwire_core.clock import Clock, SteadyClock
from botwire_core.codec import MAX_VALUE_BYTES, Payload, Value, encode
from botwire_core.errors import (
    InvalidValueError,
    StoreBusyError,
    StoreCorruptError,
    TooLargeError,
    UnsupportedError,
)
from botwire_core.matching import compile_where, rank
from botwire_core.names import check_key, check_log, check_namespace, check_prefix, log_of, log_row_key
from botwire_core.results import Entry, Stats
from botwire_core.store import Limits
from botwire_core.stores.draft import Draft
from botwire_core.stores.rows import TOMBSTONE, Batch, Row, StaleRead
from botwire_core.stores.runners import OpRunners

__all__ = ["StoreBase", "expiry"]

R = TypeVar("R")

_known_namespace = lru_cache(maxsize=4096)(check_namespace)
_ATTEMPTS = 1000


class StoreBase(OpRunners, ABC):
    """A store made of three primitives; all times in it are microseconds since the epoch."""

    features: frozenset[str] = frozenset()
    limits: Limits = Limits()

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._now = SteadyClock(clock) if clock is not None else SteadyClock()
        super().__init__()

    # --- what the author of a store gives ---------------------------------------------------------

    @abstractmethod
    def read(self, namespace: str, key: str) -> Row | None:
        """The newest row of a key, a tombstone too; None where the key was never written."""

    @abstractmethod
    def scan(self, namespace: str, prefix: str, after: str | None, reverse: bool) -> Iterable[Row]:
        """The newest row of every key with the prefix, tombstones too.

        In byte order of the keys, above `after`; with `reverse` in falling order, below it.
        """

    @abstractmethod
    def commit(self, batch: Batch) -> None:
        """Store the rows of a batch, all or nothing.

        Raises:
            StaleRead: a key of `batch.expect` is not at the version that was read. `Batch.applied_to` checks it.
        """

    # --- the store protocol -----------------------------------------------------------------------

    def close(self) -> None:
        """Let go of what the store holds; nothing by default."""

    async def aclose(self) -> None:
        """Async twin of `close`."""
        import asyncio  # here, since a program without a loop never pays for it

        await asyncio.to_thread(self.close)

    # --- writes: each builds a draft, `write` commits it ----------------------------------------------

    def write(self, namespace: str, fill: Callable[[Draft], R]) -> R:
        """Run `fill` on a fresh draft and commit what it made; again, where somebody else was quicker."""
        _known_namespace(namespace)
        for _ in range(_ATTEMPTS):
            draft = Draft(namespace, self._now(), self.read)
            result = fill(draft)
            if not draft.rows:
                return result
            try:
                self.commit(draft.batch())
            except StaleRead:
                continue
            return result
        raise StoreBusyError(
            f"{namespace!r} was written by others {_ATTEMPTS} times in a row", hint="try again with less traffic"
        )

    def _step(self, draft: Draft, op: Any) -> Any:
        """What one write op puts into a draft; gives the result of the op."""
        match op:
            case p.Set():
                check_key(op.key)
                self._check_payload(op.payload)
                if check_version(op.if_version) is not None:
                    draft.check_version(op.key, cast(int, op.if_version))
                return draft.put(op.key, op.payload, expiry(draft.now, op.ttl), op.author).version
            case p.Delete():
                check_key(op.key)
                if check_version(op.if_version) is not None:
                    draft.check_version(op.key, cast(int, op.if_version))
                return draft.remove(op.key, op.author)
            case p.Append():
                return self._append(draft, op)
            case p.Increment():
                return self._increment(draft, op)
            case p.Expire():
                row = draft.live(check_key(op.key))
                if row is None:
                    check_ttl(op.ttl)
                    return False
                draft.put(op.key, row.payload, expiry(draft.now, op.ttl), op.author)
                return True
            case p.Check():
                check_version(op.version, "version")
                draft.check_version(check_key(op.key), op.version)
                return None
            case p.SetMany():
                expires = expiry(draft.now, op.ttl)
                for key, payload in op.items:
                    check_key(key)
                    self._check_payload(payload)
                return {key: draft.put(key, payload, expires, op.author).version for key, payload in op.items}
            case p.DeleteMany():
                for key in op.keys:
                    check_key(key)
                return sum(draft.remove(key, op.author) for key in op.keys)
            case p.Clear():
                check_prefix(op.prefix)
                live = [row.key for row in self.scan(op.namespace, op.prefix, None, False) if row.live(draft.now)]
                return sum(draft.remove(key, op.author) for key in live)
        raise self._unsupported(op)

    def _write_op(self, op: Any) -> Any:
        return self.write(op.namespace, lambda draft: self._step(draft, op))

    def _transact(self, op: p.Transact) -> list[Any]:
        for step in op.steps:
            if not isinstance(step, p.Set | p.Delete | p.Append | p.Increment | p.Expire | p.Check):
                raise InvalidValueError(f"{type(step).__name__} cannot be a step of a transaction")
            if step.namespace != op.namespace:
                raise InvalidValueError(
                    f"a transaction in {op.namespace!r} cannot write to {step.namespace!r}",
                    hint="use one transaction for each namespace",
                )
        return self.write(op.namespace, lambda draft: [self._step(draft, step) for step in op.steps])

    def _append(self, draft: Draft, op: p.Append) -> list[str]:
        check_log(op.log)
        expires = expiry(draft.now, op.ttl)
        number = draft.next_numbers.get(op.log)
        if number is None:
            number = self.next_number(draft, op.log)
        number = max(number, draft.written_numbers.get(op.log, -1) + 1)
        keys = []
        for payload in op.payloads:
            self._check_payload(payload)
            key = log_row_key(op.log, number)
            draft.put_new(key, payload, expires, op.author)
            keys.append(key)
            number += 1
        draft.next_numbers[op.log] = number
        return keys

    def next_number(self, draft: Draft, log: str) -> int:
        """The number of the next row of a log: above every row that ever was, deleted ones too."""
        for row in self.scan(draft.namespace, f"{log}/", None, True):
            found = log_of(row.key)
            if found and found[0] == log:
                return found[1] + 1
        return 0

    def _increment(self, draft: Draft, op: p.Increment) -> int | float:
        if type(op.by) not in (int, float):
            raise InvalidValueError(f"by: {op.by!r} is not a number")
        row = draft.live(check_key(op.key))
        number = row.value if row else 0
        if type(number) not in (int, float):
            raise InvalidValueError(
                f"{op.key!r} holds a {type(number).__name__}, not a number", hint="set it to a number first"
            )
        try:
            total: int | float = number + op.by
        except OverflowError:
            total = math.inf  # an integer too wide for a float: refused by the codec, as a sum that overflows is
        draft.put(op.key, encode(total), row.expires if row else None, op.author)
        return total

    def _drop(self, op: p.Drop) -> bool:
        # Without a feature to delete a namespace, an empty one is the same to everybody.
        return self.write(op.namespace, lambda draft: bool(self._step(draft, p.Clear(op.namespace))))

    # --- reads --------------------------------------------------------------------------------------

    def live_row(self, namespace: str, key: str, at: int | None) -> Row | None:
        """The row that stands at a key now, or stood at a revision, and has not expired since."""
        if at is not None:
            raise self._no_history()
        row = self.read(_known_namespace(namespace), check_key(key))
        return row if row is not None and row.live(self._now()) else None

    def live_rows(
        self, namespace: str, prefix: str = "", after: str | None = None, reverse: bool = False, at: int | None = None
    ) -> Iterator[Row]:
        """The rows that stand, or stood at a revision, in the order of `scan`."""
        if at is not None:
            raise self._no_history()
        now = self._now()
        return (row for row in self.scan(namespace, prefix, after, reverse) if row.live(now))

    def live_rows_of(self, namespace: str, keys: tuple[str, ...], at: int | None) -> dict[str, Row]:
        """The rows that stand at some keys, or stood at a revision, all from one moment."""
        before: dict[str, Row] | None = None
        while True:
            found = {key: row for key in keys if (row := self.live_row(namespace, key, at)) is not None}
            # What two passes saw alike stood there between them, since no version ever comes back.
            if len(keys) < 2 or found == before:
                return found
            before = found

    def _get(self, op: p.Get) -> Value | p.Missing:
        row = self.live_row(op.namespace, op.key, op.at)
        return p.MISSING if row is None else self._value(op.namespace, row)

    def _get_entry(self, op: p.GetEntry) -> Entry | None:
        row = self.live_row(op.namespace, op.key, op.at)
        return None if row is None else self._entry(op.namespace, row)

    def _time_left(self, op: p.TimeLeft) -> float | None:
        row = self.live_row(op.namespace, op.key, op.at)
        return None if row is None or row.expires is None else max(0.0, (row.expires - self._now()) / 1_000_000)

    def _get_many(self, op: p.GetMany) -> dict[str, Value]:
        rows = self.live_rows_of(op.namespace, op.keys, op.at)
        return {key: self._value(op.namespace, row) for key, row in rows.items()}

    def _list_keys(self, op: p.ListKeys) -> list[str]:
        limit = check_limit(op.limit)
        after = None if op.after is None else check_prefix(op.after)
        rows = self.live_rows(_known_namespace(op.namespace), check_prefix(op.prefix), after, False, op.at)
        return [row.key for row in itertools.islice(rows, limit)]

    def _list_entries(self, op: p.ListEntries) -> list[Entry]:
        limit = check_limit(op.limit)
        after = None if op.after is None else check_prefix(op.after)
        rows = self.live_rows(_known_namespace(op.namespace), check_prefix(op.prefix), after, op.reverse, op.at)
        return [self._entry(op.namespace, row) for row in itertools.islice(rows, limit)]

    def _read_log(self, op: p.ReadLog) -> list[Value]:
        check_log(op.log)
        last = check_limit(op.last, "last")
        rows: Iterable[Row] = (
            row
            for row in self.live_rows(_known_namespace(op.namespace), f"{op.log}/", None, last is not None, op.at)
            if (found := log_of(row.key)) and found[0] == op.log
        )
        if last is not None:
            rows = reversed(list(itertools.islice(rows, last)))
        return [self._value(op.namespace, row) for row in rows]

    def _search(self, op: p.Search) -> list[Entry]:
        limit, offset = check_limit(op.limit) or 0, check_limit(op.offset, "offset") or 0
        matches = compile_where(op.where)
        found = []
        for row in self.live_rows(_known_namespace(op.namespace), check_prefix(op.prefix), None, False, op.at):
            value = self._value(op.namespace, row)
            if matches(value):
                found.append((row, value))
        if op.words is None:
            best = heapq.nsmallest(offset + limit, found, key=lambda one: (-one[0].updated, one[0].key))
        else:
            scores = rank(op.words, [value for _, value in found])
            ranked = [(score, row) for score, (row, _) in zip(scores, found, strict=True) if score > 0]
            best = [
                (row, None)
                for _, row in heapq.nsmallest(
                    offset + limit, ranked, key=lambda one: (-one[0], -one[1].updated, one[1].key)
                )
            ]
        return [self._entry(op.namespace, row) for row, _ in best[offset:]]

    def _get_stats(self, op: p.GetStats) -> Stats:
        now = self._now()
        midnight = now - now % 86_400_000_000
        rows = list(self.scan(_known_namespace(op.namespace), "", None, False))
        live = [row for row in rows if row.live(now)]
        return Stats(
            op.namespace,
            keys=len(live),
            bytes=sum(len(row.data) for row in live),
            revision=max((row.revision for row in rows), default=0),
            forks=0,
            snapshots=0,
            writes_today=sum(row.updated >= midnight and row.codec != TOMBSTONE for row in rows),
        )

    # --- helpers --------------------------------------------------------------------------------------

    def _check_payload(self, payload: Payload) -> None:
        if len(payload.data) > min(self.limits.value_bytes, MAX_VALUE_BYTES):
            raise TooLargeError(
                f"value: {len(payload.data):,} bytes, the limit of this store is {self.limits.value_bytes:,}",
                hint="split it over several keys",
            )

    def _value(self, namespace: str, row: Row) -> Value:
        try:
            return row.value
        except InvalidValueError as error:
            raise self._damaged(namespace, row.key) from error

    def _entry(self, namespace: str, row: Row, *, hidden: bool = False) -> Entry:
        try:
            return row.entry(hidden=hidden)
        except InvalidValueError as error:
            raise self._damaged(namespace, row.key) from error

    @staticmethod
    def _damaged(namespace: str, key: str) -> StoreCorruptError:
        return StoreCorruptError(
            f"what is stored at {key!r} of {namespace!r} is damaged",
            hint="restore it from a backup; `botwire doctor` checks the whole store",
        )

    def _no_history(self) -> UnsupportedError:
        return UnsupportedError(
            f"{type(self).__name__} keeps no past",
            hint='use a store whose features name "history", as the embedded one does',
        )

    RUNNERS: ClassVar[dict[type, str]] = {
        p.Get: "_get",
        p.GetEntry: "_get_entry",
        p.TimeLeft: "_time_left",
        p.GetMany: "_get_many",
        p.ListKeys: "_list_keys",
        p.ListEntries: "_list_entries",
        p.ReadLog: "_read_log",
        p.Search: "_search",
        p.GetStats: "_get_stats",
        p.Drop: "_drop",
        p.Transact: "_transact",
        **dict.fromkeys(
            (p.Set, p.Delete, p.SetMany, p.DeleteMany, p.Append, p.Increment, p.Expire, p.Clear), "_write_op"
        ),
    }


def expiry(now: int, ttl: float | None) -> int | None:
    """When something expires that has `ttl` seconds left; None for never. All in microseconds."""
    seconds = check_ttl(ttl)
    return None if seconds is None else now + max(1, round(seconds * 1_000_000))
