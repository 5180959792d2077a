"""Time for stores: microseconds since the epoch, that never run backwards within a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

__all__ = ["Clock", "SteadyClock", "from_microseconds", "to_microseconds"]

Clock: TypeAlias = Callable[[], float]
"""Gives epoch seconds; `time.time`, or something that a test turns."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SteadyClock:
    """A clock that goes on from where it was when the wall clock jumps back.

    So what was once seen as expired stays expired, and commit times rise with revisions.
    """

    __slots__ = ("_high", "_monotonic", "_stuck_at", "_wall")

    def __init__(self, wall: Clock = time.time, monotonic: Clock = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._high = 0
        self._stuck_at: float | None = None

    def __call__(self) -> int:
        """Microseconds since the epoch, never less than before."""
        now = int(self._wall() * 1_000_000)
        if now >= self._high:
            self._high = now
            self._stuck_at = None
            return now
        monotonic = self._monotonic()
        stuck_at = self._stuck_at  # looked at once: another thread may go on from the wall clock meanwhile
        self._stuck_at = monotonic
        if stuck_at is None:
            return self._high
        # Rejected: to stay at the highest time ever seen. After a jump of a year nothing would expire for a year.
        self._high += int(max(0.0, monotonic - stuck_at) * 1_000_000)
        return self._high


def from_microseconds(microseconds: int) -> datetime:
    """The UTC datetime of so many microseconds since the epoch.

    >>> from_microseconds(1_500_000).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return _EPOCH + timedelta(0, 0, microseconds)  # by position: by name takes half as long again


def to_microseconds(moment: datetime) -> int:
    """The microseconds since the epoch of a datetime that knows its time zone."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
