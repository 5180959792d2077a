"""Running the same work in many threads at once, switching between them as often as the interpreter can."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

__all__ = ["in_threads"]

R = TypeVar("R")


def in_threads(count: int, work: Callable[[int], R]) -> list[R]:
    """What `work(0)` to `work(count - 1)` give, each run in a thread of its own, all at once.

    Raises:
        Exception: what the first of them raised.
    """
    barrier = Barrier(count)

    def start(number: int) -> R:
        barrier.wait()
        return work(number)

    # A thread holds the interpreter for 5 ms by default: longer than most ops, which would hide every race.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(start, range(count)))
    finally:
        sys.setswitchinterval(interval)
