"""One line of JSON for each request, on standard error: what was asked and how it went, never what it was about.

A line has the route instead of the path, since a path holds a key, and the id of the token instead of the token.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from typing import BinaryIO, Final

from botwire_server.requests import Request

__all__ = ["AccessLog"]

_FLUSH_SECONDS: Final = 0.1
_MOST_WAITING: Final = 64  # batches


class AccessLog:
    """Gathers lines on the event loop, and lets a thread write them: a pipe that nobody reads must not stop a server.

    What cannot be written is thrown away, and a line says how many lines were.
    """

    def __init__(self, stream: BinaryIO, *, namespaces: bool = False) -> None:
        self._stream = stream
        self._namespaces = namespaces
        self._lines: list[str] = []
        self._lost = 0
        self._batches: queue.Queue[list[str] | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._second = -1
        self._stamp = ""

    def add(self, request: Request, method: str, status: int, size: int, seconds: float) -> None:
        """Note a request that was answered."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        # Each of these is ASCII without quotes: methods and routes are ours, and ids are checked.
        line = (
            f'{{"time":"{self._stamp}.{int((now - second) * 1000):03d}Z","method":"{method}",'
            f'"route":"{request.route}","status":{status},"bytes":{size},"ms":{seconds * 1000:.3f},'
            f'"request_id":"{request.id.decode()}","token_id":"{request.identity.id if request.identity else ""}"'
        )
        self._lines.append(line + self._namespace(request) + "}\n" if self._namespaces else line + "}\n")
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush)

    def close(self) -> None:
        """Write what is left; waits for the thread, but not for ever."""
        self._flush()
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                self._batches.put(None, timeout=1.0)
            except queue.Full:
                return
            thread.join(timeout=1.0)

    def _namespace(self, request: Request) -> str:
        import orjson

        return f',"namespace":{orjson.dumps(request.namespace).decode()}'

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        if not lines:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="botwire-log", daemon=True)
            self._thread.start()
        if self._lost:
            lines.insert(0, f'{{"lost_lines":{self._lost}}}\n')
        try:
            self._batches.put_nowait(lines)
            self._lost = 0
        except queue.Full:
            self._lost += len(lines)

    def _write(self) -> None:
        while (lines := self._batches.get()) is not None:
            try:
                self._stream.write("".join(lines).encode())
                self._stream.flush()
            except (OSError, ValueError):
                return  # nobody reads it any more
