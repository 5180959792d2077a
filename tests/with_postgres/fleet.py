"""Several servers over one database, each a process of its own, as they stand behind one name in earnest."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

__all__ = ["Fleet", "Member", "fleet"]

PATIENCE = 30  # seconds


class Member:
    """One `botwire serve`, that can be ended in every way and started again at the same port.

    It is told its store by the environment, as an operator does who keeps a password out of lists of processes.
    """

    def __init__(self, store: str, options: Sequence[str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.said: list[str] = []
        """What all its processes wrote to standard error, line by line."""
        self._store = store
        self._options = options
        self._readers: list[threading.Thread] = []
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        """Its process, or the last one it had."""
        assert self._process is not None
        return self._process

    def launch(self) -> Member:
        """Start it, and do not wait."""
        command = [sys.executable, "-m", "botwire", "serve", "--port", str(self.port), *self._options]
        environment = {**os.environ, "BOTWIRE_URL": self._store}
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        self._listening = threading.Event()
        reader = threading.Thread(target=self._read, args=(self._process, self._listening))
        self._readers.append(reader)
        reader.start()
        return self

    def wait(self) -> Member:
        """Wait until it answers."""
        assert self._listening.wait(PATIENCE), "".join(self.said)
        assert self.process.poll() is None, "".join(self.said)
        return self

    def kill(self) -> None:
        """As `kill -9` does; what it was doing is left as it was."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> int:
        """As an operator does, with SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            self.kill()
        for reader in self._readers:
            reader.join(PATIENCE)

    def _read(self, process: subprocess.Popen[str], listening: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                self.said.append(line)
                if "listening on " in line:
                    listening.set()
        listening.set()  # whoever waits has to see that it has ended


class Fleet(list[Member]):
    """Servers of one store."""

    @property
    def urls(self) -> list[str]:
        return [member.url for member in self]

    @property
    def url(self) -> str:
        """All of them as one URL, tried in this order."""
        return ",".join(self.urls)

    def url_from(self, first: int) -> str:
        """The same, one of them before the others."""
        return ",".join([*self.urls[first:], *self.urls[:first]])


@contextmanager
def fleet(store: str, *options: str, count: int = 3, log: bool = False) -> Iterator[Fleet]:
    """So many servers over the store with this URL, started together; whatever is left of them is killed at the end."""
    given = [*options, "--log" if log else "--no-log"]
    members = Fleet(Member(store, given) for _ in range(count))
    try:
        for member in members:
            member.launch()
        for member in members:
            member.wait()
        yield members
    finally:
        for member in members:
            member.end()
