"""`botwire serve` as a process of its own, with clients on many threads that remember what they were told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

__all__ = ["Told", "Writers", "serving"]


@contextmanager
def serving(database: Path | str, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server over a file, or the store of a URL, on a free port, and its URL; killed at the end if it still runs."""
    store = database if isinstance(database, str) else f"sqlite:///{database}"
    command = [sys.executable, "-m", "botwire", "serve", "--port", "0", "--no-log", "--url", store]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert "listening on " in line, line + process.stderr.read()
            yield process, line.partition("listening on ")[2].partition(",")[0]
        finally:
            process.send_signal(signal.SIGKILL)


@dataclass
class Told:
    """What clients were told: by key, the highest number that was acknowledged, and the highest that was sent."""

    acknowledged: dict[str, int] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)


class Writers:
    """Threads that each write rising numbers to a key of their own, until the server is gone."""

    def __init__(self, url: str, told: Told, threads: int, namespace: str = "space") -> None:
        self._url = url
        self._told = told
        self._namespace = namespace
        self._acknowledged = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._write, args=(f"key-{n}",)) for n in range(threads)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def wait_for(self, writes: int) -> None:
        """Wait until so many more writes are acknowledged."""
        for _ in range(writes):
            assert self._acknowledged.acquire(timeout=30)

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a client hangs, though its server is gone"

    def _write(self, key: str) -> None:
        number = self._told.sent.get(key, 0)
        with httpx.Client(base_url=self._url, timeout=20) as client:
            while True:
                number += 1
                self._told.sent[key] = number
                try:
                    reply = client.put(f"/memory/{self._namespace}/{key}", json={"value": number})
                except httpx.TransportError:
                    return
                if reply.status_code == 200:
                    self._told.acknowledged[key] = number
                    self._acknowledged.release()
                else:
                    self._told.refused.append(reply.status_code)
