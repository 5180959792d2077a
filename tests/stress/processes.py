"""What the processes of the stress tests do. A module of its own, because a new process has to import it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

from botwire_core.errors import ConflictError
from botwire_core.memory import Memory
from botwire_core.protocol import Import
from botwire_core.results import Record


def increment(barrier: Barrier, url: str, count: int) -> float:
    """Increment one number, and give the longest time that it took."""
    with Memory("crowd", url) as memory:
        memory.get("number")
        barrier.wait()
        longest = 0.0
        for _ in range(count):
            began = time.perf_counter()
            memory.increment("number")
            longest = max(longest, time.perf_counter() - began)
    return longest


def get_and_set(barrier: Barrier, url: str, count: int) -> float:
    """The same without `increment`: what others write between the two is lost."""
    with Memory("crowd", url) as memory:
        memory.get("number")
        barrier.wait()
        for _ in range(count):
            memory.set("number", memory.get("number", 0) + 1)
    return 0.0


def write_first(barrier: Barrier, urls: list[str], name: str) -> list[int]:
    """Be one of the first who write to each of some files that are not there yet."""
    versions = []
    for url in urls:
        barrier.wait()
        with Memory("crowd", url) as memory:
            versions.append(memory.set(name, name))
    return versions


def hold_the_lock(connection: Connection, url: str) -> int:
    """Write more and more records in one transaction, until told to end."""

    def records() -> Iterator[Record]:
        number = 0
        while not connection.poll():
            yield Record(f"held/{number:09}", number)
            number += 1
            if number == 10:
                connection.send("inside")

    with Memory("crowd", url) as memory:
        return memory.store.run(Import(memory.namespace, records()))


def increment_for_others(connection: Connection, url: str, timeout: float) -> None:
    """Increment each time that the other end asks, and send the new number."""
    with Memory("crowd", url, timeout) as memory, closing(connection):
        memory.get("number")
        connection.send("ready")
        while connection.recv():
            connection.send(memory.increment("number"))


def compare_and_set(barrier: Barrier, url: str, name: str, rounds: int) -> list[tuple[int, str]]:
    """Write over the same version as somebody else; the rounds that were won, and the ones that were lost."""
    outcomes = []
    with Memory("crowd", url) as memory:
        for version in range(rounds):
            barrier.wait()
            try:
                assert memory.set("key", [name, version], if_version=version) == version + 1
                outcomes.append((version, "won"))
            except ConflictError as error:
                assert error.version == version + 1, error
                outcomes.append((version, "lost"))
    return outcomes


def look_and_set(barrier: Barrier, url: str, name: str, rounds: int) -> list[tuple[int, str]]:
    """The same by looking first, and writing where nobody has."""
    outcomes = []
    with Memory("crowd", url) as memory:
        for version in range(rounds):
            barrier.wait()
            if memory.get(f"key/{version}") is None:
                memory.set(f"key/{version}", name)
                outcomes.append((version, "won"))
    return outcomes


def append(barrier: Barrier, url: str, name: str, count: int) -> None:
    """Append messages to a log that others append to."""
    with Memory("crowd", url) as memory:
        barrier.wait()
        for number in range(count):
            if number % 5:
                memory.append("log", [name, number])
            else:
                memory.append("log", [name, number, 0], [name, number, 1])


def add_to_a_list(barrier: Barrier, url: str, name: str, count: int) -> None:
    """The same with one list that is read and written anew."""
    with Memory("crowd", url) as memory:
        barrier.wait()
        for number in range(count):
            memory.set("list", [*memory.get("list", []), [name, number]])
