"""C6, C7: calls that are cancelled in the middle, and stores that are closed while others use them."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from with_postgres.invariants import broken
from with_postgres.servers import Database

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import BotWireError
from botwire_core.memory import Memory
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url

Begin = Callable[..., "Future[Any]"]

POOL = 4
NAMES = 8
STATES = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE %s"


@pytest.fixture
def url(fresh_schema: Callable[..., str], postgres: Database) -> Iterator[str]:
    """Of a store with a value of its own in each namespace; nobody may be left in a transaction in the end."""
    made = fresh_schema(pool=POOL)
    store = open_url(made)
    for number in range(NAMES):
        store.run(p.Set(f"space {number}".replace(" ", "-"), "key", encode(number)))
    store.close()
    yield made
    assert postgres.execute(STATES, ("idle in transaction%",)) == [(0,)]
    assert broken(postgres, made) == {}


def test_c7_a_cancelled_call_never_gets_its_reply_to_somebody_else(url: str, scale: Callable[[int], int]) -> None:
    async def read(store: PostgresStore, number: int) -> None:
        name = f"space-{number}"
        assert await store.arun(p.Get(name, "key")) == number
        assert (await store.arun(p.ListKeys(name, limit=1))) == ["key"]
        assert [entry.value for entry in await store.arun(p.GetHistory(name, "key"))] == [number]

    async def cancelled_in_the_middle() -> int:
        dice = random.Random(7)
        store = open_url(url)
        hit = 0
        for _ in range(scale(10_000) // NAMES):
            tasks = [asyncio.create_task(read(store, number)) for number in range(NAMES)]
            for _ in range(dice.randrange(12)):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            hit += sum(isinstance(one, asyncio.CancelledError) for one in ended)
            assert [one for one in ended if one is not None and not isinstance(one, asyncio.CancelledError)] == []
        await asyncio.gather(*(read(store, number) for number in range(NAMES)))
        await store.aclose()
        return hit

    assert asyncio.run(cancelled_in_the_middle()) >= scale(10_000) // 4


def test_c7_a_cancelled_write_is_done_or_not_and_never_half(url: str, scale: Callable[[int], int]) -> None:
    """It waits for its outcome: what the next one writes comes after it."""

    async def write(store: PostgresStore, number: int, told: list[int]) -> None:
        both = p.Increment("counts", "a"), p.Increment("counts", "b"), p.Append("counts", "log", (encode(number),))
        told.append((await store.arun(p.Transact("counts", both)))[0])

    async def cancelled_in_the_middle() -> tuple[int, list[int]]:
        dice = random.Random(8)
        store = open_url(url)
        told: list[int] = []
        hit = 0
        for number in range(scale(3000) // 3):
            tasks = [asyncio.create_task(write(store, number, told)) for _ in range(3)]
            for _ in range(dice.randrange(20)):
                await asyncio.sleep(0)
            tasks[0].cancel()
            tasks[1].cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            hit += sum(isinstance(one, asyncio.CancelledError) for one in ended)
            assert not any(isinstance(one, Exception) for one in ended)
        await store.aclose()
        return hit, told

    hit, told = asyncio.run(cancelled_in_the_middle())
    assert hit > len(told) / 4
    memory = Memory("counts", store=open_url(url))
    count = memory.get("a")
    assert memory.get("b") == count == len(memory.read("log"))
    assert told == sorted(set(told))
    assert len(told) <= count <= len(told) + hit
    memory.store.close()


def test_one_store_serves_event_loops_one_after_the_other_and_threads_in_between(
    url: str, postgres: Database, scale: Callable[[int], int]
) -> None:
    store = open_url(url)

    async def some() -> None:
        await asyncio.gather(*(store.arun(p.Increment("space-0", "loops")) for _ in range(10)))

    for _ in range(scale(50)):
        asyncio.run(some())
        store.run(p.Increment("space-0", "threads"))
    assert store.run(p.Get("space-0", "loops")) == scale(50) * 10
    assert store.run(p.Get("space-0", "threads")) == scale(50)
    asyncio.run(store.aclose())


def test_c6_threads_and_two_event_loops_share_a_store(url: str, scale: Callable[[int], int]) -> None:
    store = open_url(url)
    each = scale(200)

    def in_thread() -> None:
        for _ in range(each):
            store.run(p.Increment("space-1", "count"))

    async def in_loop() -> None:
        for _ in range(each):
            await store.arun(p.Increment("space-1", "count"))
        await store.aclose()

    with ThreadPoolExecutor(10) as pool:
        running = [pool.submit(in_thread) for _ in range(8)]
        running += [pool.submit(asyncio.run, in_loop()) for _ in range(2)]
        for one in running:
            one.result()
    assert store.run(p.Get("space-1", "count")) == 10 * each
    store.close()


def test_a_store_that_is_closed_while_others_use_it_goes_on(
    url: str, begin: Begin, scale: Callable[[int], int]
) -> None:
    store = open_url(url, timeout=5)
    stop = threading.Event()

    def use(name: str) -> list[int]:
        told = []
        while not stop.is_set():
            told.append(store.run(p.Increment(name, "count")))
            assert isinstance(store.run(p.Get(name, "key")), int)
        return told

    using = [begin(use, f"space-{number}") for number in range(4)]
    try:
        for _ in range(scale(200)):
            store.run(p.Increment("space-5", "count"))
            store.close()
    finally:
        stop.set()
        told = [one.exception(30) or one.result(30) for one in using]
    for numbers in told:
        assert not isinstance(numbers, BaseException), repr(numbers)
        assert numbers == list(range(1, len(numbers) + 1))
    store.close()


def test_a_store_that_is_closed_while_tasks_use_it_goes_on(url: str, scale: Callable[[int], int]) -> None:
    async def use(store: PostgresStore, name: str, told: list[int]) -> None:
        while len(told) < scale(100):
            told.append(await store.arun(p.Increment(name, "count")))

    async def closing() -> list[Any]:
        store = open_url(url, timeout=5)
        told: list[list[int]] = [[] for _ in range(4)]
        tasks = [asyncio.create_task(use(store, f"space-{number}", told[number])) for number in range(4)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            await store.aclose()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await store.aclose()
        return [*ended, *told]

    *ended, a, b, c, d = asyncio.run(closing())
    assert [one for one in ended if one is not None] == []
    for told in (a, b, c, d):
        assert told == list(range(1, scale(100) + 1))


def test_an_error_is_one_of_ours_when_the_loop_ends_in_the_middle(url: str) -> None:
    """What was begun in a loop that has ended is no business of the next."""
    store = open_url(url)

    async def leave_some_behind() -> None:
        for number in range(NAMES):
            asyncio.ensure_future(store.arun(p.Increment(f"space-{number}", "left")))  # noqa: RUF006
        await asyncio.sleep(0)

    async def go_on() -> list[Any]:
        try:
            return [await store.arun(p.Get(f"space-{number}", "key")) for number in range(NAMES)]
        except BotWireError as error:
            return [error]

    for _ in range(5):
        asyncio.run(leave_some_behind())
        assert asyncio.run(go_on()) == list(range(NAMES))
    asyncio.run(store.aclose())
