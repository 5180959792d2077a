"""Connections: what is set on each, and how one is told to stop that takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import threading
import time
import weakref
from typing import Any, Final

import psycopg
from psycopg import adapters
from psycopg.adapt import AdaptersMap
from psycopg.pq import PollingStatus, TransactionStatus
from psycopg.types.numeric import FloatBinaryDumper, Int8BinaryDumper
from psycopg.types.string import BytesBinaryDumper, StrBinaryDumper
from psycopg_pool import AsyncConnectionPool

__all__ = ["AsyncLink", "AsyncPool", "Link", "Watchdog", "connect_arguments"]

_LOOK_EVERY: Final = 0.2  # seconds
_PATIENCE: Final = 2.0  # seconds from the request to stop to the end of the connection
_UNDER_WAY: Final = (PollingStatus.READING, PollingStatus.WRITING)


class _Watched:
    """What we keep with a connection."""

    deadline: float | None = None
    """The moment, by the monotonic clock, at which what it does now is stopped."""
    stopped_at: float | None = None
    """When that was done."""
    unreplicated = False
    """Whether it stopped waiting for a synchronous standby: committed here, and maybe nowhere else."""
    watched_by: Watchdog | None = None
    pgconn: psycopg.pq.abc.PGconn
    line: Any = None
    """Tells whether the server has said something."""
    names: dict[str, bytes]
    """The statements that were prepared by hand, by their text."""
    statements: Any = None
    """The cursor of all its statements: one, since to make one takes longer than to use it."""

    def has_gone(self) -> bool:
        """Whether a connection that nobody uses was closed by the other side: it has something to say, unasked."""
        return self.pgconn.transaction_status != TransactionStatus.IDLE or bool(self.line.poll(0))

    def noticed(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        """Look at a notice of the server."""
        # By the function that tells it: the text is in the language of the server.
        if diagnostic.source_function == "SyncRepWaitForLSN" or "synchronous replication" in (
            diagnostic.message_primary or ""
        ):
            self.unreplicated = True


class Link(psycopg.Connection[Any], _Watched):
    """A connection for threads."""

    def __del__(self, *_: object) -> None:
        """Nothing: psycopg would warn that it was left open, and a store need not be closed."""


class AsyncLink(psycopg.AsyncConnection[Any], _Watched):
    """A connection for event loops."""

    def __del__(self, *_: object) -> None:
        """Nothing, as for a `Link`."""


class _Ended(BaseException):
    """A task was cancelled. The pool takes a CancelledError for one more reason why there is no connection."""


class AsyncPool(AsyncConnectionPool[AsyncLink]):
    """A pool whose tasks end with their event loop, which would wait for them for ever."""

    @classmethod
    async def worker(cls, q: Any) -> None:
        """Do what there is to do."""
        try:
            await super().worker(q)
        except _Ended:
            raise asyncio.CancelledError from None

    async def _connect(self, *given: Any) -> AsyncLink:
        try:
            return await super()._connect(*given)
        except asyncio.CancelledError:
            raise _Ended from None

    async def schedule_task(self, task: Any, delay: float) -> None:
        """Do something later."""
        # Not by the pool's own task for that: given something to do, it can miss that it was cancelled.
        asyncio.get_running_loop().call_later(delay, self.run_task, task)


def _our_adapters() -> AdaptersMap:
    """Numbers, texts and bytes with one type each: else every size of a number is another prepared statement."""
    ours = AdaptersMap(adapters)
    for kind, dumper in (
        (int, Int8BinaryDumper),
        (str, StrBinaryDumper),
        (bytes, BytesBinaryDumper),
        (float, FloatBinaryDumper),
    ):
        ours.register_dumper(kind, dumper)
    return ours


class _Context:
    """What psycopg takes adapters from."""

    adapters = _our_adapters()
    connection = None


_CONTEXT: Final = _Context()


def connect_arguments(*, for_loop: bool) -> dict[str, Any]:
    """What each connection is made with, beside the text that says where to."""
    return {
        "autocommit": True,
        "context": _CONTEXT,
        "cursor_factory": psycopg.AsyncRawCursor if for_loop else psycopg.RawCursor,
    }


class Watchdog:
    """Stops what takes too long: asks the server to cancel it, and cuts the connection if that does not help.

    Rejected: `statement_timeout`, which does not bound the wait for a synchronous standby at a commit, and is a state
    of a session, which a pooler may give to somebody else.
    """

    def __init__(self) -> None:
        self._links: weakref.WeakSet[Link | AsyncLink] = weakref.WeakSet()
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._end = threading.Event()

    def watch(self, link: Link | AsyncLink, deadline: float) -> None:
        """Stop what a connection does once a moment of the monotonic clock has come."""
        link.deadline = deadline
        link.stopped_at = None
        link.unreplicated = False
        if link.watched_by is not self or self._thread is None:
            link.watched_by = self
            with self._guard:
                self._links.add(link)
                self._end.clear()
                if self._thread is None:
                    self._thread = threading.Thread(target=self._look, name="botwire-watchdog", daemon=True)
                    self._thread.start()
        if not self._busy.is_set():
            self._busy.set()

    @staticmethod
    def done(link: Link | AsyncLink) -> None:
        """Leave a connection alone."""
        link.deadline = None

    def close(self) -> None:
        """End the thread."""
        with self._guard:
            thread, self._thread = self._thread, None
        self._end.set()
        self._busy.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_PATIENCE)

    def _look(self) -> None:
        while True:
            self._busy.wait()
            if self._end.wait(_LOOK_EVERY):
                return
            self._busy.clear()  # before the look: whoever begins meanwhile is seen by it, or sets this again
            with self._guard:
                links = list(self._links)
            if not any(link.deadline is not None for link in links):
                continue
            self._busy.set()
            now = time.monotonic()
            for link in links:
                if link.deadline is not None and now > link.deadline:
                    self._stop(link, now)

    @staticmethod
    def _stop(link: Link | AsyncLink, now: float) -> None:
        # What goes wrong here went wrong with the connection, and whoever uses it is told there.
        with contextlib.suppress(psycopg.Error, OSError, ValueError):
            if link.stopped_at is None:
                link.stopped_at = now
                threading.Thread(target=_cancel, args=(link,), daemon=True).start()
            elif now > link.stopped_at + _PATIENCE:
                with socket.socket(fileno=os.dup(link.pgconn.socket)) as line:
                    line.shutdown(socket.SHUT_RDWR)


def _cancel(link: Link | AsyncLink) -> None:
    with contextlib.suppress(psycopg.Error, OSError):
        if not psycopg.capabilities.has_cancel_safe():
            link.pgconn.get_cancel().cancel()
            return
        # Step by step: the one call for all of it keeps every thread of the interpreter waiting with it.
        request = link.pgconn.cancel_conn()
        request.start()
        end = time.monotonic() + _PATIENCE
        while (status := request.poll()) in _UNDER_WAY and (left := end - time.monotonic()) > 0:
            line = select.poll()
            line.register(request.socket, select.POLLIN if status == PollingStatus.READING else select.POLLOUT)
            line.poll(left * 1000)
        request.finish()
