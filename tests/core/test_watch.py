"""`watch`: no gaps, no repeats, no sleeping in the tests."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from core.wrappers import Call, RecordingStore

from botwire_core.errors import InvalidKeyError, InvalidValueError
from botwire_core.flows import Wait, iterate
from botwire_core.memory import Memory
from botwire_core.protocol import ListChanges
from botwire_core.results import Change, Revision
from botwire_core.testing.clock import ManualClock
from botwire_core.watching import changes_as_they_come


def shown(changes: list[Change]) -> list[tuple[int, str, Any]]:
    return [(change.revision, change.key, change.value) for change in changes]


async def test_all_changes_come_in_order_with_deletes_marked(memory: Memory, call: Call) -> None:
    memory.set("a", 1)
    memory.set("b", 2)
    memory.set("a", 3)
    memory.delete("b")
    changes = await call(memory, "watch", since=0, timeout=0)
    assert shown(changes) == [(1, "a", 1), (2, "b", 2), (3, "a", 3), (4, "b", None)]
    assert [change.deleted for change in changes] == [False, False, False, True]
    assert shown(await call(memory, "watch", "b", since=0, timeout=0)) == [(2, "b", 2), (4, "b", None)]
    assert shown(await call(memory, "watch", since=Revision(3), timeout=0)) == [(4, "b", None)]
    assert await call(memory, "watch", since=4, timeout=0) == []


async def test_a_fork_tells_what_it_inherited_and_then_its_own(memory: Memory, call: Call) -> None:
    memory.set("a", 1)
    fork = memory.fork("variant")
    memory.set("a", "not in the fork")
    fork.set("b", 2)
    assert shown(await call(fork, "watch", since=0, timeout=0)) == [(1, "a", 1), (2, "b", 2)]


async def test_resuming_at_any_change_neither_loses_nor_repeats(memory: Memory, call: Call) -> None:
    memory.set("a", 0)
    with memory.transaction() as tx:
        for key in "dbac":
            tx.set(key, 1)
        tx.append("log", 1, 2)
    memory.set("b", 2)
    everything = shown(await call(memory, "watch", since=0, timeout=0))
    assert len(everything) == 8
    assert everything == sorted(everything, key=lambda change: change[:2])
    seen: list[tuple[int, str, Any]] = []
    last: Change | int = 0
    while True:
        first = (await call(memory, "watch", since=last, timeout=0))[:1]
        if not first:
            break
        seen += shown(first)
        last = first[0]
    assert seen == everything


async def test_resuming_at_a_revision_goes_on_after_all_of_it(memory: Memory, call: Call) -> None:
    memory.set_many({"a": 1, "b": 1})
    memory.set("c", 1)
    first = (await call(memory, "watch", since=0, timeout=0))[0]
    assert shown(await call(memory, "watch", since=first.revision, timeout=0)) == [(2, "c", 1)]


async def test_more_changes_than_a_page_holds_come_whole(store: RecordingStore, memory: Memory, call: Call) -> None:
    for number in range(700):
        memory.set(f"{number:04d}", 0)
    memory.set_many({f"{number:04d}": 1 for number in range(700, 2000)})
    memory.set("last", 2)
    store.ops.clear()
    changes = await call(memory, "watch", since=0, timeout=0)
    assert [change.key for change in changes] == [*(f"{number:04d}" for number in range(2000)), "last"]
    assert len(store.ops) > 2
    middle = changes[1500]
    assert shown(await call(memory, "watch", since=middle, timeout=0)) == shown(changes[1501:])


def test_watching_from_now_begins_with_the_call(memory: Memory) -> None:
    memory.set("before", 1)
    changes = memory.watch(timeout=0)
    memory.set("after", 2)
    assert shown(list(changes)) == [(2, "after", 2)]


def test_a_memory_that_does_not_exist_yet_can_be_watched(memory: Memory) -> None:
    changes = memory.watch(timeout=0)
    memory.set("first", 1)
    assert shown(list(changes)) == [(1, "first", 1)]


async def test_awatch_waits_for_what_a_task_writes(memory: Memory) -> None:
    seen = []

    async def look() -> None:
        async for change in memory.awatch(since=0):
            seen.append(change.key)
            if change.key == "end":
                return

    watcher = asyncio.create_task(look())
    for key in ("a", "b", "end"):
        await memory.aset(key, 1)
        await asyncio.sleep(0)
    await watcher
    assert seen == ["a", "b", "end"]


def test_watch_waits_for_what_a_thread_writes(memory: Memory) -> None:
    changes = memory.watch()
    writer = threading.Thread(target=memory.set, args=("k", 1))
    writer.start()
    assert next(changes).key == "k"
    writer.join()


async def test_a_watch_that_waits_can_be_cancelled(memory: Memory) -> None:
    watcher = asyncio.ensure_future(anext(memory.awatch()))
    for _ in range(3):
        await asyncio.sleep(0)
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher


def test_looks_grow_rarer_and_are_frequent_again_after_a_change(memory: Memory, clock: ManualClock) -> None:
    flow = changes_as_they_come("demo", "", 0, None, clock)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) in (6, 7):
            memory.set("k", len(waits))

    changes = iterate(memory.store, flow, wait)
    assert next(changes).value == 6
    assert waits == [0.01, 0.02, 0.04, 0.08, 0.1, 0.1]
    assert next(changes).value == 7
    assert waits[6:] == [0.01]


def test_the_timeout_counts_from_the_last_change(memory: Memory, clock: ManualClock) -> None:
    flow = changes_as_they_come("demo", "", 0, 1.0, clock)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        clock.advance(seconds)
        waited.append(seconds)
        if len(waited) == 10:
            memory.set("k", 1)

    assert len(list(iterate(memory.store, flow, wait))) == 1
    assert sum(waited[10:]) == pytest.approx(1.0)
    assert sum(waited[:10]) < 1.0


def test_a_look_asks_for_one_bounded_page(memory: Memory) -> None:
    flow = changes_as_they_come("demo", "p", 0, None)
    assert flow.send(None) == ListChanges("demo", 0, "p", 1000)
    page = memory.store.run(ListChanges("demo", 0, "p"))
    assert flow.send(page) == Wait(0.01)


@pytest.mark.parametrize(
    "named",
    [{"since": -1}, {"since": True}, {"since": "1"}, {"timeout": -1}, {"timeout": float("nan")}, {"timeout": "1"}],
)
def test_a_watch_that_makes_no_sense_is_refused_at_the_call(memory: Memory, named: dict[str, Any]) -> None:
    for method in (memory.watch, memory.awatch):
        with pytest.raises(InvalidValueError):
            method(**named)
        with pytest.raises(InvalidKeyError):
            method("\0")


async def test_a_revision_that_is_not_reached_yet_cannot_be_watched_from(memory: Memory, call: Call) -> None:
    with pytest.raises(InvalidValueError):
        await call(memory, "watch", since=7, timeout=0)
