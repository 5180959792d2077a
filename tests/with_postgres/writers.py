"""Writers on many threads that remember what they were told of each write: done, not done, or not known."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from botwire_core.errors import CommitUnknownError, StoreBusyError, StoreReadOnlyError, StoreUnavailableError
from botwire_core.memory import Memory
from botwire_core.store import Store
from botwire_postgres.url import open_url

__all__ = ["Told", "Writers", "write_for_others"]

PATIENCE = 60.0  # seconds
REFUSED = (StoreUnavailableError, StoreBusyError, StoreReadOnlyError)


@dataclass
class Told:
    """What one writer was told, by the number of each write; even numbers are sets, odd ones are appends."""

    done: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds of the longest wait for an answer."""

    def lost(self, memory: Memory) -> list[int]:
        """The writes that were done, and are not there; an AssertionError if a refused one is there, or one twice."""
        kept = memory.read("log")
        assert kept == sorted(set(kept)), "something was done twice, or in another order"
        kept += [int(key[2:]) for key in memory.list_keys("n/")]
        assert not set(kept) & set(self.refused), "it was done, though the writer was told that it was not"
        assert set(kept) <= {*self.done, *self.unknown}
        return sorted(set(self.done) - set(kept))


class Writers:
    """A thread for each namespace, that writes rising numbers there until the block ends."""

    def __init__(self, store: Store, namespaces: Iterable[str]) -> None:
        self._store = store
        self.told = {name: Told() for name in namespaces}
        self._threads = [threading.Thread(target=self._write, args=item) for item in self.told.items()]
        self._acknowledged: dict[str, list[float]] = {name: [] for name in self.told}
        self._news = threading.Condition()
        self._stop = False
        self._failed: list[BaseException] = []

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a writer hangs"
        if self._failed:
            raise self._failed[0]

    def resumed(self, moment: float) -> float:
        """Wait until each writer had a write acknowledged after a moment of the monotonic clock; when the last had."""

        def all_went_on() -> bool:
            return bool(self._failed) or all(times and times[-1] > moment for times in self._acknowledged.values())

        with self._news:
            assert self._news.wait_for(all_went_on, PATIENCE), "nothing is acknowledged any more"
            if self._failed:
                raise self._failed[0]
            return max(next(time for time in times if time > moment) for times in self._acknowledged.values())

    def wait_for(self, count: int) -> None:
        """Wait until each writer has so many writes acknowledged."""

        def enough() -> bool:
            return bool(self._failed) or all(len(times) >= count for times in self._acknowledged.values())

        with self._news:
            assert self._news.wait_for(enough, PATIENCE), "the writers do not get that far"

    def _write(self, namespace: str, told: Told) -> None:
        memory = Memory(namespace, store=self._store)
        number = 0
        try:
            while not self._stop:
                number += 1
                began = time.monotonic()
                try:
                    if number % 2:
                        memory.append("log", number)
                    else:
                        memory.set(f"n/{number}", number)
                except CommitUnknownError:
                    told.unknown.append(number)
                except REFUSED:
                    told.refused.append(number)
                else:
                    told.done.append(number)
                    with self._news:
                        self._acknowledged[namespace].append(time.monotonic())
                        self._news.notify_all()
                told.slowest = max(told.slowest, time.monotonic() - began)
        except BaseException as error:
            with self._news:
                self._failed.append(error)
                self._news.notify_all()


def write_for_others(connection: Connection, url: str, timeout: float, namespaces: list[str]) -> dict[str, Told]:
    """Be a process of writers: answers each `("wait_for", 10)` or `("resumed", moment)`, and ends at anything else."""
    store = open_url(url, timeout=timeout)
    with Writers(store, namespaces) as writers:
        while True:
            match connection.recv():
                case "wait_for", int(count):
                    connection.send(writers.wait_for(count))
                case "resumed", float(moment):
                    connection.send(writers.resumed(moment))
                case _:
                    break
    store.close()
    return writers.told
