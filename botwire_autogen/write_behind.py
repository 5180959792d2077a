"""Writes that a thread does, in order, for callers that may not wait."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from threading import Lock

from botwire_core.errors import BotWireError

__all__ = ["WriteBehind"]

_logger = logging.getLogger("botwire")


class WriteBehind:
    """A queue of writes and the thread that does them, made at the first; what is queued is written at exit too."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pending: dict[str, Future[None]] = {}
        self._executor: ThreadPoolExecutor | None = None
        self._process = 0

    def put(self, key: str, write: Callable[[], object], namespace: str) -> None:
        """Have a write done in the context of the caller, and so in its scope."""
        context = copy_context()
        with self._lock:
            if self._executor is None or self._process != os.getpid():
                # A child of os.fork() has no thread, and what its parent queued is the parent's to write.
                self._executor, self._process = ThreadPoolExecutor(1, "botwire-cache"), os.getpid()
                self._pending = {}
            job = self._executor.submit(context.run, _done, write, namespace)
            self._pending[key] = job
        job.add_done_callback(lambda job: self._forget(key, job))

    def settle(self, key: str | None = None) -> None:
        """Wait until what was queued is written: for a key, or all of it."""
        if not self._pending or self._process != os.getpid():
            return
        with self._lock:
            jobs = list(self._pending.values()) if key is None else [self._pending[key]] if key in self._pending else []
        wait(jobs)

    def _forget(self, key: str, job: Future[None]) -> None:
        with self._lock:
            if self._pending.get(key) is job:
                del self._pending[key]


def _done(write: Callable[[], object], namespace: str) -> None:
    try:
        write()
    except BotWireError as error:
        _logger.error("an answer was not cached in %s: %s", namespace, type(error).__name__)
