"""A guard over an event loop: nothing on its thread may wait for the disk, the network or a lock."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import apsw
from blockbuster import blockbuster_ctx

__all__ = ["unblocked"]


@contextmanager
def unblocked() -> Iterator[list[str]]:
    """Fails on what blockbuster knows, and collects what it does not: commits, opened files and locks of apsw's.

    It is entered on the thread of the loop, and watches what that thread does with the stores opened within. A look
    at one key is allowed: it takes less time than a hop to a thread.
    """
    here = threading.get_ident()
    blocked: list[str] = []
    real = fcntl.flock

    def saw(what: str) -> bool:
        if threading.get_ident() == here:
            blocked.append(what)
        return False

    def watch(connection: apsw.Connection) -> None:
        saw("open")
        connection.set_commit_hook(lambda: saw("commit"), id=blocked)

    def flock(descriptor: int, operation: int) -> None:
        saw("flock")
        real(descriptor, operation)

    apsw.connection_hooks.append(watch)
    fcntl.flock = flock
    try:
        with blockbuster_ctx():
            yield blocked
    finally:
        fcntl.flock = real
        apsw.connection_hooks.remove(watch)
