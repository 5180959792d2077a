"""What one op writes, as a quota counts it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextvars import ContextVar
from typing import Final

from botwire_core.records import record
from botwire_core.stores.rows import TOMBSTONE, Row
from botwire_core.stores.spaces import Level, Space, View

__all__ = ["Tally", "counting"]


@record(frozen=False)
class Tally:
    """Entries and bytes that were written; deletes are free."""

    now: int
    """Microseconds since the epoch: what has expired by then counts for nothing."""
    kept_until: Callable[[Space], int] | None
    """The last revision of a space that a fork or snapshot keeps, -1 without any; None where bytes are not counted."""
    writes: int = 0
    bytes: int = 0
    """By how much the bytes that stand, or that a fork or snapshot keeps, have grown."""
    first_end: int | None = None
    """When the first of what was written expires, microseconds since the epoch."""
    space: Space | None = None
    """Where it was written, as it was before."""

    def add(self, newest_row: Callable[[View, str], Row | None], space: Space, rows: Collection[Row]) -> None:
        """Count rows that are about to be stored in a space."""
        self.space = self.space or space
        self.writes += sum(row.codec != TOMBSTONE for row in rows)
        if self.kept_until is None:
            return
        kept_until = self.kept_until(space)
        for row in rows:
            before = newest_row((Level(space.id),), row.key)
            if before is not None and before.live(self.now) and before.revision > kept_until:
                self.bytes -= len(before.data)
            self.bytes += len(row.data)
            if row.expires is not None:
                self.first_end = min(row.expires, self.first_end or row.expires)


counting: Final[ContextVar[Tally | None]] = ContextVar("counting", default=None)
"""The tally of the op that runs now, where one is kept: with a quota."""
