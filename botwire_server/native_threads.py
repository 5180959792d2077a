"""The threads of granian, which outlive its server by a moment.

They end by themselves, and need the interpreter for it. One that ends meanwhile takes the whole process down: the
thread is then made to exit in the middle of Rust, which aborts.
"""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Final

__all__ = ["NativeThreads"]

_TASKS: Final = Path("/proc/self/task")
_LONGEST: Final = 0.5  # seconds; theirs is a millisecond, and what else was started meanwhile may never end
_LOOK_EVERY: Final = 0.001
_BLIND: Final = 0.05  # seconds to wait where threads cannot be seen


class NativeThreads:
    """The threads that are started from now on, and not by Python."""

    def __init__(self) -> None:
        self._before = _all_threads()

    async def ended(self) -> None:
        """Wait until those that are there have ended, at most half a second."""
        if self._before is None:
            await asyncio.sleep(_BLIND)
            return
        ours = {thread.native_id for thread in threading.enumerate()}
        theirs = (_all_threads() or set()) - self._before - ours
        deadline = time.monotonic() + _LONGEST
        while theirs and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_EVERY)
            theirs &= _all_threads() or set()


def _all_threads() -> set[int] | None:
    """The ids of all threads of this process; None on a system that does not tell."""
    try:
        return {int(path.name) for path in _TASKS.iterdir()}
    except OSError:
        return None
