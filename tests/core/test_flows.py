"""Flows: logic written once, driven in either colour."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from core.wrappers import RecordingStore

from botwire_core.errors import InvalidValueError
from botwire_core.flows import Flow, Give, ItemFlow, Wait, Work, aiterate, arun_flow, ask, iterate, run_flow
from botwire_core.memory import Memory
from botwire_core.protocol import Get, Increment
from botwire_core.store import Store


@pytest.fixture(params=["sync", "async"])
def drive(request: pytest.FixtureRequest) -> Any:
    async def driven(store: Store, flow: Flow[Any]) -> Any:
        return run_flow(store, flow) if request.param == "sync" else await arun_flow(store, flow)

    return driven


async def test_a_flow_gets_what_its_ops_and_its_work_give_and_gives_what_it_returns(memory: Memory, drive: Any) -> None:
    def flow() -> Flow[list[Any]]:
        number = yield from ask(Increment("demo", "n"))
        text = yield Work(lambda: "worked")
        return [number, text, (yield from ask(Get("demo", "n")))]

    assert await drive(memory.store, flow()) == [1, "worked", 1]


async def test_a_flow_without_steps_ends_at_once(memory: Memory, drive: Any) -> None:
    def flow() -> Flow[int]:
        yield from ()
        return 7

    assert await drive(memory.store, flow()) == 7


async def test_what_goes_wrong_is_thrown_into_the_flow_which_may_go_on(memory: Memory, drive: Any) -> None:
    def flow() -> Flow[str]:
        try:
            yield Increment("demo", "")
        except ValueError:
            pass
        try:
            yield Work(lambda: 1 // 0)
        except ZeroDivisionError:
            return (yield Work(lambda: "recovered"))  # type: ignore[no-any-return]
        return "not reached"

    assert await drive(memory.store, flow()) == "recovered"


async def test_what_the_flow_does_not_handle_reaches_the_caller_after_its_finally(memory: Memory, drive: Any) -> None:
    cleaned = []

    def flow() -> Flow[None]:
        try:
            yield Increment("demo", "text")
        finally:
            cleaned.append(True)

    memory.set("text", "text")
    with pytest.raises(InvalidValueError, match="not a number"):
        await drive(memory.store, flow())
    assert cleaned == [True]


async def test_work_under_async_runs_beside_the_loop(memory: Memory) -> None:
    def flow() -> Flow[int]:
        return (yield Work(threading.get_ident))  # type: ignore[no-any-return]

    assert await arun_flow(memory.store, flow()) != threading.get_ident()
    assert run_flow(memory.store, flow()) == threading.get_ident()


async def test_a_cancellation_waits_for_the_work_and_then_cleans_up(memory: Memory) -> None:
    begun, go_on = threading.Event(), threading.Event()
    order = []

    def work() -> None:
        begun.set()
        go_on.wait()
        order.append("worked")

    def flow() -> Flow[None]:
        try:
            yield Work(work)
            order.append("not reached")
        finally:
            order.append("cleaned")

    task = asyncio.create_task(arun_flow(memory.store, flow()))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    asyncio.get_running_loop().call_soon(go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert order == ["worked", "cleaned"]


def countdown(waits: list[float]) -> ItemFlow[int]:
    for seconds in waits:
        number = yield from ask(Increment("demo", "n"))
        yield Give([number, -number])
        yield Wait(seconds)


def test_items_come_as_they_are_given_and_waits_are_waited(memory: Memory) -> None:
    waited: list[float] = []
    assert list(iterate(memory.store, countdown([0.5, 2]), waited.append)) == [1, -1, 2, -2]
    assert waited == [0.5, 2]


async def test_items_come_as_they_are_given_under_async_too(memory: Memory) -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    assert [item async for item in aiterate(memory.store, countdown([0.5, 2]), wait)] == [1, -1, 2, -2]
    assert waited == [0.5, 2]


async def test_an_iteration_may_be_left_at_any_point(store: RecordingStore) -> None:
    items: Iterator[int] = iterate(store, countdown([0.0] * 9), lambda _: None)
    assert next(items) == 1
    items.close()  # type: ignore[attr-defined]
    aitems = aiterate(store, countdown([0.0] * 9))
    assert await anext(aitems) == 2
    await aitems.aclose()  # type: ignore[attr-defined]
    assert len(store.ops) == 2


async def test_an_error_under_way_reaches_who_iterates(memory: Memory) -> None:
    memory.set("n", "text")
    with pytest.raises(InvalidValueError):
        next(iterate(memory.store, countdown([0.0])))
    with pytest.raises(InvalidValueError):
        await anext(aiterate(memory.store, countdown([0.0])))
