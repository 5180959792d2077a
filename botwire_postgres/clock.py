"""The database's clock, by which everything expires, whatever the clocks of the servers in front of it say."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

__all__ = ["DatabaseClock"]

_STALE: Final = 10.0  # seconds


class DatabaseClock:
    """Epoch seconds as the database counts them: how far it is from the monotonic clock here, measured now and then."""

    __slots__ = ("_measured", "_monotonic", "_offset")

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset: float | None = None
        self._measured = -_STALE - 1.0

    def __call__(self) -> float:
        """Epoch seconds; by the clock here as long as the database was not asked."""
        return time.time() if self._offset is None else self._monotonic() + self._offset

    def stale_at(self, moment: float) -> bool:
        """Whether it should be measured again, at a moment of the monotonic clock."""
        return moment - self._measured > _STALE

    def measure(self, ask: Callable[[], float]) -> None:
        """Measure it by a question to the database: half of what the answer took is taken off."""
        before = self._monotonic()
        answer = ask()
        after = self._monotonic()
        self._offset = answer - (before + after) / 2
        self._measured = after
