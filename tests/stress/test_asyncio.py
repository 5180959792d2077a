"""C7 and the event loop: a write is never half done by a cancellation, and nothing blocks the loop."""

from __future__ import annotations

import asyncio
import fcntl
import inspect
import io
import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest

from botwire_core.memory import Memory
from botwire_core.protocol import Import
from botwire_core.results import Record


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory("loop", f"sqlite:///{tmp_path}/memory.db?durability=normal") as memory:
        yield memory


@dataclass
class Guard:
    """What one thread had SQLite and the file lock do."""

    thread: int = field(default_factory=threading.get_ident)
    statements: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    elsewhere: int = 0

    def saw(self, what: str, statement: str = "") -> None:
        if threading.get_ident() != self.thread:
            self.elsewhere += 1
        elif statement:
            self.statements.append(statement)
        else:
            self.blocked.append(what)


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Guard]:
    """Watches this thread, the one of the event loop; blockbuster knows neither apsw nor `flock`."""
    guard = Guard()
    flock, sleep, close = fcntl.flock, time.sleep, os.close

    def watch(connection: apsw.Connection) -> None:
        guard.saw("open")
        connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: guard.saw("", event["sql"]), id=guard)

        def commit() -> bool:
            guard.saw("commit")
            return False

        connection.set_commit_hook(commit, id=guard)

    def watched_flock(descriptor: int, operation: int) -> None:
        guard.saw("flock")
        flock(descriptor, operation)

    def watched_sleep(seconds: float) -> None:
        guard.saw("sleep")
        sleep(seconds)

    def watched_close(descriptor: int) -> None:
        guard.saw("close")
        close(descriptor)

    monkeypatch.setattr(fcntl, "flock", watched_flock)
    monkeypatch.setattr(os, "close", watched_close)
    monkeypatch.setattr(time, "sleep", watched_sleep)
    apsw.connection_hooks.append(watch)
    try:
        yield guard
    finally:
        apsw.connection_hooks.remove(watch)


async def first(items: Any) -> Any:
    async for item in items:
        return item
    return None


async def transact(memory: Memory) -> None:
    async with memory.transaction() as tx:
        tx.set("a", 1)
        tx.append("log", 1)


async def keep_retention(memory: Memory) -> None:
    await memory.aset_retention(await memory.aretention())


async def open_and_close(memory: Memory) -> None:
    async with memory:
        await memory.aset("a", 1)


# Every async method of a Memory, apart from the point reads: none of them may touch SQLite on the loop's thread.
BESIDE: dict[str, Callable[[Memory], Awaitable[Any]]] = {
    "aset": lambda m: m.aset("b", 1),
    "adelete": lambda m: m.adelete("a"),
    "alist_keys": lambda m: m.alist_keys(),
    "akeys": lambda m: m.akeys(),
    "aentries": lambda m: first(m.aentries()),
    "aget_many": lambda m: m.aget_many(["a", "b"]),
    "aset_many": lambda m: m.aset_many({"a": 1, "b": 2}),
    "adelete_many": lambda m: m.adelete_many(["a", "b"]),
    "aappend": lambda m: m.aappend("log", 1),
    "aread": lambda m: m.aread("log"),
    "aincrement": lambda m: m.aincrement("number"),
    "aexpire": lambda m: m.aexpire("a", 60),
    "aclear": lambda m: m.aclear(),
    "adrop": lambda m: m.adrop(),
    "asearch": lambda m: m.asearch(words="one"),
    "astats": lambda m: m.astats(),
    "afork": lambda m: m.afork("variant"),
    "asnapshot": lambda m: m.asnapshot("label"),
    "asnapshots": lambda m: m.asnapshots(),
    "adelete_snapshot": lambda m: m.adelete_snapshot("label"),
    "aat": lambda m: m.aat(1),
    "ahistory": lambda m: m.ahistory("a"),
    "arestore": lambda m: m.arestore("a", 1),
    "adiff": lambda m: m.adiff("other"),
    "amerge": lambda m: m.amerge("other"),
    "apurge": lambda m: m.apurge("a"),
    "aretention": lambda m: m.aretention(),
    "aset_retention": keep_retention,
    "awatch": lambda m: first(m.awatch(since=0, timeout=0)),
    "aexport": lambda m: m.aexport(io.BytesIO()),
    "aimport_": lambda m: m.aimport_(io.BytesIO(b'{"key":"c","value":1}')),
    "aclose": lambda m: m.aclose(),
    "transaction": transact,
    "__aenter__": open_and_close,
}
# The named exception: some microseconds each, and a hop to a thread some hundred.
INLINE: dict[str, Callable[[Memory], Awaitable[Any]]] = {
    "aget": lambda m: m.aget("a"),
    "aexists": lambda m: m.aexists("a"),
    "aentry": lambda m: m.aentry("a"),
    "attl": lambda m: m.attl("a"),
}


def _is_async(name: str) -> bool:
    method = getattr(Memory, name)
    twin = not name.startswith("_") and name[0] == "a" and callable(getattr(Memory, name[1:], None))
    return twin or inspect.iscoroutinefunction(inspect.unwrap(method))


def test_every_async_method_is_watched() -> None:
    asynchronous = {name for name in dir(Memory) if not name.startswith("_") and _is_async(name)}
    assert asynchronous == {name for name in BESIDE | INLINE if name.startswith("a")}


@pytest.fixture
async def filled(guard: Guard, memory: Memory) -> Memory:
    await memory.aset_many({"a": "one two", "number": 1}, ttl=600)
    await memory.aset("a", "one")
    await memory.aappend("log", 1, 2)
    await memory.aget("a")
    await memory.afork("other")
    assert guard.statements, "the look at a key is seen on this thread"
    assert guard.elsewhere, "and so is all else on others"
    guard.statements.clear()
    guard.elsewhere = 0
    return memory


@pytest.mark.parametrize("name", BESIDE)
async def test_nothing_but_a_look_at_a_key_runs_on_the_thread_of_the_loop(
    guard: Guard, filled: Memory, name: str
) -> None:
    await BESIDE[name](filled)
    assert guard.blocked == guard.statements == []
    assert guard.elsewhere


# What reads a lineage and a row reads them at one moment: a transaction that only reads waits for nobody.
ONE_MOMENT = {"BEGIN", "COMMIT"}


@pytest.mark.parametrize("name", INLINE)
async def test_a_look_at_a_key_only_selects(guard: Guard, filled: Memory, name: str) -> None:
    await INLINE[name](filled)
    assert guard.blocked == []
    looks = [sql for sql in guard.statements if sql not in ONE_MOMENT]
    assert 1 <= len(looks) <= 2
    assert all(sql.startswith("SELECT") for sql in looks)


@pytest.mark.parametrize("name", INLINE)
async def test_a_first_look_at_a_key_opens_the_file_elsewhere(guard: Guard, memory: Memory, name: str) -> None:
    await INLINE[name](memory)
    assert guard.blocked == []
    assert guard.elsewhere
    assert all(sql.startswith("SELECT") for sql in guard.statements if sql not in ONE_MOMENT)


CONTROLS: dict[str, tuple[Callable[[Memory], Any], set[str]]] = {
    "a write": (lambda m: m.set("b", 1), {"flock", "commit"}),
    "a transaction": (lambda m: m.set_many({"b": 1, "c": 2}), {"flock", "commit"}),
    "a close": (lambda m: m.close(), {"close"}),
    "a wait": (lambda _: time.sleep(0), {"sleep"}),
}


@pytest.mark.parametrize("name", CONTROLS)
async def test_control_what_blocks_the_loop_trips_the_guard(guard: Guard, filled: Memory, name: str) -> None:
    work, expected = CONTROLS[name]
    work(filled)
    assert set(guard.blocked) == expected


async def test_control_a_scan_on_the_loop_trips_the_guard(guard: Guard, filled: Memory) -> None:
    filled.list_keys()
    assert guard.statements


async def test_control_opening_the_file_on_the_loop_trips_the_guard(guard: Guard, memory: Memory) -> None:
    memory.get("a")
    assert "open" in guard.blocked


# --- C7: cancellations ---------------------------------------------------------------------------------------------


@contextmanager
def lock_held(memory: Memory) -> Iterator[Callable[[], None]]:
    """Another thread is in the middle of a write until the block calls what it is given, or ends."""
    inside, go = threading.Event(), threading.Event()

    def records() -> Iterator[Record]:
        yield Record("held", 1)
        inside.set()
        assert go.wait(60)

    holder = threading.Thread(target=lambda: memory.store.run(Import("holder", records())))
    holder.start()
    try:
        assert inside.wait(60)
        yield go.set
    finally:
        go.set()
        holder.join()


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_loop_turns_and_reads_while_a_write_waits(memory: Memory) -> None:
    await memory.aset("key", "before")
    with lock_held(memory) as let_go:
        write = asyncio.create_task(memory.aset("key", "after"))
        for _ in range(100):
            await turns(10)
            assert await memory.aget("key") == "before"
            assert await memory.alist_keys() == ["key"]
        assert not write.done()
        let_go()
        assert await write == 2
    assert await memory.aget("key") == "after"


async def test_c7_a_cancelled_write_is_settled_when_the_cancellation_arrives(memory: Memory) -> None:
    await memory.aset("key", "before")
    with lock_held(memory) as let_go:
        write = asyncio.create_task(memory.aset("key", "after"))
        await turns(10)
        write.cancel()
        await turns(1000)
        write.cancel()
        await turns(1000)
        assert not write.done(), "told before it was settled"
        let_go()
        with pytest.raises(asyncio.CancelledError):
            await write
        assert await memory.aget("key") == "after"


async def test_c7_control_a_write_in_a_plain_thread_is_not_settled_by_its_cancellation(memory: Memory) -> None:
    await memory.aset("key", "before")
    with lock_held(memory) as let_go:
        write = asyncio.create_task(asyncio.to_thread(memory.set, "key", "after"))
        await turns(10)
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
        assert await memory.aget("key") == "before"
        let_go()
    while await memory.aget("key") == "before":
        await turns(1)
    assert await memory.aget("key") == "after", "the outcome came after the cancellation"


async def one_transaction(memory: Memory, number: int) -> None:
    async with memory.transaction() as tx:
        tx.set("a", number)
        tx.append("log", number)
        tx.set("b", number)


async def one_after_the_other(memory: Memory, number: int) -> None:
    await memory.aset("a", number)
    await memory.aset("b", number)


async def cancel_often(
    memory: Memory, work: Callable[[Memory, int], Awaitable[None]], count: int
) -> tuple[int, int, int]:
    """Cancel so many writes of two keys at some moment; how many were done, half done, and not done."""
    draw = random.Random(7)
    done = half = undone = 0
    await memory.aset_many({"a": -1, "b": -1})
    for number in range(count):
        task = asyncio.ensure_future(work(memory, number))
        await turns(draw.choice((0, 1, 2, 3, 5, 10, 30, 100)))
        task.cancel()
        neighbour = asyncio.create_task(memory.aincrement("neighbour"))
        try:
            await task
        except asyncio.CancelledError:
            pass
        found = await memory.aget_many(["a", "b"])
        assert await neighbour == number + 1, "somebody else's reply"
        assert await memory.aget_many(["a", "b"]) == found, "it was not settled"
        wrote = [found[key] == number for key in ("a", "b")]
        done, half, undone = done + all(wrote), half + (any(wrote) and not all(wrote)), undone + (not any(wrote))
        assert await memory.aincrement("next", number) == number * (number + 1) // 2, "somebody else's reply"
    return done, half, undone


async def test_c7_a_cancelled_transaction_is_done_or_not_and_never_half(
    memory: Memory, scale: Callable[[int], int]
) -> None:
    count = scale(2000)
    done, half, undone = await cancel_often(memory, one_transaction, count)
    assert half == 0
    assert done * undone, "the moments of the cancellations were all the same"
    assert len(await memory.aread("log")) == done
    print(f"{count} cancellations: {done} were done, {undone} were not")


async def test_c7_control_two_writes_that_are_cancelled_are_half_done_at_times(memory: Memory) -> None:
    _, half, _ = await cancel_often(memory, one_after_the_other, 100)
    assert half


async def test_c7_readers_that_are_cancelled_leave_everybody_with_their_own_replies(
    memory: Memory, scale: Callable[[int], int]
) -> None:
    count, draw = scale(2000), random.Random(8)
    keys = [f"key {number}" for number in range(50)]
    await memory.aset_many({key: [key] * 20 for key in keys})
    cancelled = 0

    async def look(number: int) -> None:
        nonlocal cancelled
        for _ in range(count // 20):
            key = keys[(number + draw.randrange(50)) % 50]
            task: asyncio.Task[Any] = asyncio.create_task(draw.choice((_get_many, _list_keys, _search))(memory, key))
            if draw.random() < 0.4:
                await turns(draw.randrange(20))
                task.cancel()
            try:
                assert await task == [key]
            except asyncio.CancelledError:
                cancelled += 1

    await asyncio.gather(*(look(number) for number in range(20)))
    assert cancelled


async def _get_many(memory: Memory, key: str) -> list[str]:
    return [value[0] for value in (await memory.aget_many([key])).values()]


async def _list_keys(memory: Memory, key: str) -> list[str]:
    return [found for found in await memory.alist_keys(key) if found == key]


async def _search(memory: Memory, key: str) -> list[str]:
    return [entry.key for entry in await memory.asearch(key, limit=50) if entry.key == key]
