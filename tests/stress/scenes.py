"""Scenes that need a process of their own: os.fork, signals, and the end of an interpreter."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

import apsw

from botwire_core.errors import StoreBusyError
from botwire_core.memory import Memory
from botwire_core.protocol import Import
from botwire_core.results import Record

HANGS = 60  # seconds


def in_child(work: Callable[[], Any]) -> int:
    """Fork, and let the child do something; its process id. `ended` waits for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is the point
        child = os.fork()
    if child:
        return child
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(HANGS)
        work()
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(1)


def ended(child: int) -> None:
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code == 0, "the child hangs" if code == -signal.SIGALRM else f"the child ended with {code}"


def fork_with_an_open_store(_: Barrier, url: str, count: int) -> None:
    """Parent and children write in turn; a child of a child does too."""
    memory = Memory("crowd", url)
    memory.set("number", 0)

    def child(number: int) -> None:
        assert memory.get("number") == number
        assert memory.increment("number") == number + 1
        if number == 0:
            ended(in_child(lambda: memory.set("grandchild", os.getpid())))
            assert memory.get("grandchild") != os.getpid()

    for number in range(0, 2 * count, 2):
        ended(in_child(lambda number=number: child(number)))  # type: ignore[misc]
        assert memory.increment("number") == number + 2


def fork_and_close(_: Barrier, url: str, count: int) -> None:
    """The parent closes its store, and so the file, while its child has it open; both go on."""
    memory = Memory("crowd", url)
    memory.set("number", 0)
    for _ in range(count):
        memory.get("number")
        closed, close = os.pipe()
        written, write = os.pipe()

        def child(closed: int = closed, write: int = write) -> None:
            memory.increment("number")
            os.write(write, b"1")
            os.read(closed, 1)
            memory.increment("number")

        process = in_child(child)
        os.read(written, 1)
        memory.close()
        os.write(close, b"1")
        ended(process)
        memory.increment("number")
        for descriptor in (closed, close, written, write):
            os.close(descriptor)


def fork_and_close_sqlite(_: Barrier, path: str) -> int:
    """The same with nothing but SQLite; gives how many of the two rows of the child are there."""
    parent = apsw.Connection(path)
    parent.pragma("journal_mode", "wal")
    parent.execute("CREATE TABLE rows (number)")
    closed, close = os.pipe()
    written, write = os.pipe()

    def child() -> None:
        own = apsw.Connection(path)
        own.execute("INSERT INTO rows VALUES (1)")
        os.write(write, b"1")
        os.read(closed, 1)
        own.execute("INSERT INTO rows VALUES (2)")
        assert own.execute("SELECT count(*) FROM rows").get == 2

    process = in_child(child)
    os.read(written, 1)
    parent.close()
    os.write(close, b"1")
    ended(process)
    count: int = apsw.Connection(path).execute("SELECT count(*) FROM rows").get
    return count


def fork_in_a_transaction(_: Barrier, url: str) -> None:
    """A child made in the middle of its parent's write sees nothing of it, cannot end it, and waits its turn."""
    memory = Memory("crowd", url, 0.3)
    memory.set_many({"a": 0, "b": 0})

    def child() -> None:
        assert memory.get_many(["a", "b"]) == {"a": 0, "b": 0}
        try:
            memory.increment("a")
        except StoreBusyError:
            pass
        else:
            raise AssertionError("it wrote into the middle of its parent's write")
        memory.close()

    def records() -> Iterator[Record]:
        yield Record("a", 1)
        ended(in_child(child))
        yield Record("b", 1)
        children.append(in_child(lambda: Memory("crowd", url, HANGS).increment("c")))  # waits until the write is done

    children: list[int] = []
    memory.store.run(Import(memory.namespace, records()))
    ended(children[0])
    assert memory.get_many(["a", "b", "c"]) == {"a": 1, "b": 1, "c": 1}

    def failing() -> Iterator[Record]:
        yield Record("a", 2)
        ended(in_child(child_of_the_failing))
        raise ZeroDivisionError

    def child_of_the_failing() -> None:
        assert memory.get("a") == 1

    try:
        memory.store.run(Import(memory.namespace, failing()))
    except ZeroDivisionError:
        pass
    assert memory.get_many(["a", "b", "c"]) == {"a": 1, "b": 1, "c": 1}
    ended(in_child(lambda: memory.increment("c")))
    assert memory.get("c") == 2


def fork_beside_threads(_: Barrier, url: str, children: int) -> int:
    """Fork while four threads write without pause; gives how many increments there were."""
    memory = Memory("crowd", url)
    memory.set("number", 0)
    over = threading.Event()
    counts = [0] * 4

    def writer(number: int) -> None:
        while not over.is_set():
            memory.increment("number")
            memory.list_keys()
            counts[number] += 1

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()

    def child() -> None:
        memory.increment("number")
        memory.append("log", os.getpid())
        assert os.getpid() in memory.read("log")
        memory.close()
        memory.increment("number")

    for _ in range(children):
        ended(in_child(child))
    over.set()
    for thread in threads:
        thread.join()
    assert len(set(memory.read("log"))) == children
    assert memory.get("number") == sum(counts) + 2 * children
    return sum(counts)


_inherited: list[Memory] = []


def _increment_inherited(count: int) -> int:
    return sum(1 for _ in range(count) if _inherited[0].increment("number"))


def fork_by_multiprocessing(_: Barrier, url: str, count: int) -> None:
    """A pool of forked workers uses the memory that it inherited, while its parent does too."""
    _inherited.append(Memory("crowd", url))
    _inherited[0].set("number", 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(4) as pool:
            done = pool.map_async(_increment_inherited, [count] * 8)
            own = _increment_inherited(count)
            assert sum(done.get(HANGS)) + own == _inherited[0].get("number") == 9 * count


def write_until_interrupted(connection: Connection, url: str, name: str) -> int:
    """Write pairs in transactions until a signal comes, and look what it left; again and again."""

    def stop(*_: object) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, stop)
    memory = Memory("crowd", url, 20.0)
    number = interrupts = 0
    # What is imported at the first write is imported: orjson crashes where a signal comes in the middle of that.
    memory.set_many({f"{name}/a": 0, f"{name}/b": 0, f"{name}/c": [0]})
    while True:
        try:
            connection.send("ready")
            while True:
                number += 1
                with memory.transaction() as tx:
                    tx.set(f"{name}/a", number)
                    tx.increment("all")
                    tx.set(f"{name}/b", number)
                memory.set(f"{name}/c", number)
        except (KeyboardInterrupt, SystemExit):
            interrupts += 1
        found = memory.get_many([f"{name}/a", f"{name}/b", f"{name}/c"])
        assert found.get(f"{name}/a") == found.get(f"{name}/b"), found
        assert found.get(f"{name}/a", 0) in (number - 1, number), (found, number)
        number = memory.get(f"{name}/a", 0)
        memory.increment(f"{name}/after")  # the lock is free
        connection.send("settled")
        if not connection.recv():
            return interrupts


def write_without_end(connection: Connection, url: str, name: str) -> None:
    """Write pairs in transactions, until killed by a signal that nobody handles."""
    memory = Memory("crowd", url)
    number = 0
    connection.send("ready")
    while True:
        number += 1
        with memory.transaction() as tx:
            tx.set(f"{name}/a", number)
            tx.set(f"{name}/b", number)
