"""A clock that tests turn by hand."""

from __future__ import annotations

from math import inf, nextafter

__all__ = ["ManualClock"]


class ManualClock:
    """Stands still until it is told to move; gives epoch seconds, as `time.time` does.

    It counts whole microseconds, so that a test can stand at the very instant at which something expires.

    >>> clock = ManualClock()
    >>> before = clock()
    >>> clock.advance(1.5)
    >>> clock() - before
    1.5
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._microseconds = round(now * 1_000_000)

    def __call__(self) -> float:
        """The epoch seconds that the clock shows."""
        seconds = self._microseconds / 1_000_000
        # Truncated to microseconds, the nearest float can fall one short of the instant that is meant.
        return seconds if int(seconds * 1_000_000) >= self._microseconds else nextafter(seconds, inf)

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds; back, where they are negative."""
        self._microseconds += round(seconds * 1_000_000)
