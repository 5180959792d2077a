"""What was read and written in a scope, counted in memory until it is written down.

A count is flushed once a second with the next operation, and at the end of the process. A process that is killed
loses the counts of its last second, never data; reports say so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from botwire_core import protocol as p
from botwire_core.scopes.ops import Use, UseKind
from botwire_core.scopes.scope import Scope

__all__ = ["FLUSH_EVERY", "UseCounter", "touched"]

FLUSH_EVERY: Final = 1.0
"""Seconds."""

_MOST_NAMESPACES: Final = 4096
_MOST_KEYS: Final = 65_536
"""Of which it is known that this process wrote them; what is read beyond that counts as found."""

Touched = tuple[str, UseKind, bool]
"""A key, what was done to it, and whether something was there."""


def touched(op: Any, result: Any) -> Iterable[Touched]:
    """The keys that an op touched, as its result tells."""
    count = _TOUCHED.get(type(op))
    return count(op, result) if count is not None else ()


class UseCounter:
    """Counts by base, namespace, datapoint, key and kind; safe from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str | None, int | None, str, UseKind], list[float]] = {}
        self._written: dict[str, set[str]] = {}
        self._flushed = time.monotonic()

    def count(self, base: str, namespace: str, scope: Scope, keys: Iterable[Touched]) -> None:
        """Count what one op touched."""
        now = time.time()
        with self._lock:
            for key, kind, hit in keys:
                if kind == "write":
                    self._note_written(namespace, key)
                own = hit and kind == "read" and key in self._written.get(namespace, ())
                place = (base, namespace, scope.datapoint_id, scope.trial, key, kind)
                found = self._counts.get(place)
                if found is None:
                    self._counts[place] = [1, int(hit), int(own), now, now]
                else:
                    found[0] += 1
                    found[1] += hit
                    found[2] += own
                    found[4] = now

    def _note_written(self, namespace: str, key: str) -> None:
        keys = self._written.get(namespace)
        if keys is None:
            if len(self._written) >= _MOST_NAMESPACES:  # an evaluation that came first, and is long over
                del self._written[next(iter(self._written))]
            keys = self._written[namespace] = set()
        if len(keys) < _MOST_KEYS:
            keys.add(key)

    def forget(self, namespace: str) -> None:
        """Know no more of what was written in a namespace, which is gone."""
        with self._lock:
            self._written.pop(namespace, None)

    def put_back(self, base: str, uses: Iterable[Use]) -> None:
        """Count again what could not be written down."""
        with self._lock:
            for use in uses:
                place = (base, use.namespace, use.datapoint_id, use.trial, use.key, use.kind)
                found = self._counts.setdefault(place, [0, 0, 0, use.first, use.last])
                found[0] += use.count
                found[1] += use.hits
                found[2] += use.own
                found[3] = min(found[3], use.first)
                found[4] = max(found[4], use.last)

    def is_due(self) -> bool:
        """Whether something should be written down with this operation."""
        return time.monotonic() - self._flushed >= FLUSH_EVERY and bool(self._counts)

    def take(self) -> dict[str, tuple[Use, ...]]:
        """All counts by base, which are then zero."""
        with self._lock:
            counts, self._counts = self._counts, {}
            self._flushed = time.monotonic()
        taken: dict[str, list[Use]] = {}
        for (base, namespace, datapoint, trial, key, kind), (count, hits, own, first, last) in counts.items():
            use = Use(namespace, key, kind, int(count), int(hits), int(own), first, last, datapoint, trial)
            taken.setdefault(base, []).append(use)
        return {base: tuple(uses) for base, uses in taken.items()}


def _step(op: Any, result: Any) -> list[Touched]:
    return list(touched(op, result))


_TOUCHED: Final[dict[type, Callable[[Any, Any], Iterable[Touched]]]] = {
    p.Get: lambda op, result: ((op.key, "read", result is not p.MISSING),),
    p.GetEntry: lambda op, result: ((op.key, "read", result is not None),),
    p.GetHistory: lambda op, result: ((op.key, "read", bool(result)),),
    p.GetMany: lambda op, result: [(key, "read", key in result) for key in op.keys],
    p.ReadLog: lambda op, result: ((op.log, "read", bool(result)),),
    p.ListKeys: lambda op, result: ((op.prefix, "list", bool(result)),),
    p.ListEntries: lambda op, result: ((op.prefix, "list", bool(result)),),
    p.Search: lambda op, result: ((op.prefix, "list", bool(result)),),
    p.Set: lambda op, result: ((op.key, "write", True),),
    p.SetMany: lambda op, result: [(key, "write", True) for key, _ in op.items],
    p.Append: lambda op, result: ((op.log, "write", True),),
    p.Increment: lambda op, result: ((op.key, "read", True), (op.key, "write", True)),
    p.Expire: lambda op, result: ((op.key, "write", result),) if result else (),
    p.Restore: lambda op, result: ((op.key, "write", True),),
    p.Delete: lambda op, result: ((op.key, "delete", result),) if result else (),
    p.DeleteMany: lambda op, result: [(key, "delete", True) for key in op.keys],
    p.Clear: lambda op, result: ((op.prefix, "delete", bool(result)),) if result else (),
    p.Transact: lambda op, result: [
        one for step, got in zip(op.steps, result, strict=True) for one in _step(step, got)
    ],
    p.Merge: lambda op, result: [(key, "write", True) for key in result.written] if result.applied else (),
}
