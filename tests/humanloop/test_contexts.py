"""Which code of an evaluated function knows its datapoint: the SDK's threads, tasks, pools, and what it copies."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from evaluating import evaluate
from humanloop import Humanloop
from opentelemetry import context as opentelemetry
from ways import copied_context, coroutine, executor_of_loop, new_pool, same_thread, task, to_thread

from botwire_core.errors import ScopeError
from botwire_core.memory import Memory
from botwire_core.scopes.blocks import bind
from botwire_core.scopes.current import current_scope
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.upkeep import scoped_namespaces
from botwire_humanloop.offline import OfflineHumanloop

pytestmark = pytest.mark.xdist_group("humanloop")

Way = Callable[[Callable[[], Any]], Any]


def bare_thread(function: Callable[[], Any]) -> Any:
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(function())
        except ScopeError as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return results[0]


INHERITS = [same_thread, coroutine, task, to_thread, copied_context]
LOSES = [bare_thread, new_pool, executor_of_loop]


@pytest.fixture
def pool_from_before() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        yield pool


def answering(memory: Memory, way: Way, *, bound: bool = False) -> Callable[..., str]:
    """A function that writes its question the given way."""

    def answer(question: str) -> str:
        def write() -> None:
            memory.set("question", question)

        way(bind(write) if bound else write)
        return question

    return answer


def names(memory: Memory) -> list[str]:
    return [one.name for one in scoped_namespaces(memory.store)]


@pytest.mark.parametrize("way", INHERITS, ids=lambda way: way.__name__)
def test_these_ways_keep_the_datapoint(client: Humanloop, memory: Memory, way: Way) -> None:
    with scope_policy(isolation="datapoint"):
        evaluate(client, answering(memory, way))
    assert len(names(memory)) == 2
    assert all("~dp_" in name for name in names(memory))
    assert not memory.exists("question")


@pytest.mark.parametrize("way", [*INHERITS, *LOSES], ids=lambda way: way.__name__)
def test_a_bound_function_keeps_the_datapoint_anywhere(client: Humanloop, memory: Memory, way: Way) -> None:
    with scope_policy(isolation="datapoint"):
        evaluate(client, answering(memory, way, bound=True))
    assert len(names(memory)) == 2
    assert not memory.exists("question")


@pytest.mark.parametrize("way", LOSES, ids=lambda way: way.__name__)
def test_these_ways_lose_it_and_are_taken_for_a_part_of_the_run(client: Humanloop, memory: Memory, way: Way) -> None:
    evaluate(client, answering(memory, way))
    (name,) = names(memory)
    assert re.fullmatch(r"support@prv_\w+~rn_\w+", name)
    assert not memory.exists("question")


@pytest.mark.parametrize("way", LOSES, ids=lambda way: way.__name__)
def test_where_a_run_is_not_enough_they_are_refused_and_the_caller_is_told(
    client: Humanloop, memory: Memory, way: Way
) -> None:
    with scope_policy(isolation="datapoint"), pytest.raises(ScopeError, match=r"the run rn_.*nothing tells which one"):
        evaluate(client, answering(memory, way))
    assert not memory.exists("question")


def test_a_policy_that_was_said_is_not_overruled(client: Humanloop, memory: Memory) -> None:
    with scope_policy(on_unscoped="error"), pytest.raises(ScopeError, match="outside of every scope"):
        evaluate(client, answering(memory, bare_thread))
    with scope_policy(on_unscoped="base"):
        evaluate(client, answering(memory, bare_thread))
    assert memory.exists("question")


def test_a_pool_from_before_the_run_is_refused_and_takes_a_bound_function(
    client: Humanloop, memory: Memory, pool_from_before: ThreadPoolExecutor
) -> None:
    def in_pool(function: Callable[[], Any]) -> Any:
        return pool_from_before.submit(function).result()

    with pytest.raises(ScopeError, match="was there before the run"):
        evaluate(client, answering(memory, in_pool))
    assert not memory.exists("question")
    evaluate(client, answering(memory, in_pool, bound=True))
    assert len(names(memory)) == 1
    assert not memory.exists("question")


@pytest.mark.parametrize("way", INHERITS, ids=lambda way: way.__name__)
def test_a_client_that_nobody_instrumented_is_isolated_by_run(
    api: OfflineHumanloop, bare_client: Humanloop, memory: Memory, way: Way
) -> None:
    evaluate(bare_client, answering(memory, way), version="a")
    evaluate(bare_client, answering(memory, way), version="b")
    assert names(memory) == sorted(f"support@~{run_id}" for run_id in api.runs)
    assert len(api.runs) == 2
    assert not memory.exists("question")


def test_a_thread_that_got_the_sdk_s_context_alone_knows_version_datapoint_and_policy(
    client: Humanloop, memory: Memory
) -> None:
    seen: list[Any] = []

    def carried(function: Callable[[], Any]) -> Any:
        """As an instrumentation of threading carries it."""
        context = opentelemetry.get_current()

        def run() -> Any:
            opentelemetry.attach(context)
            seen.append(current_scope())
            return function()

        return bare_thread(run)

    with scope_policy(isolation="datapoint"):
        evaluate(client, answering(memory, carried))
    assert {one.variant for one in seen} == {one.scope.variant for one in scoped_namespaces(memory.store)}
    assert len(names(memory)) == 2
    assert all("~dp_" in name for name in names(memory))


def test_a_coroutine_function_is_what_the_sdk_makes_of_it(client: Humanloop, memory: Memory) -> None:
    async def answer(question: str) -> str:
        await memory.aset("question", question)
        return question

    def awaited(question: str) -> str:
        return asyncio.run(answer(question))

    with scope_policy(isolation="datapoint"):
        evaluate(client, awaited)
    assert len(names(memory)) == 2
    assert not memory.exists("question")


def test_nothing_is_told_where_nothing_is_evaluated(memory: Memory) -> None:
    token = opentelemetry.attach(opentelemetry.set_value("run_id", "rn_000009"))
    try:
        assert current_scope() is None
        memory.set("question", "mine")
    finally:
        opentelemetry.detach(token)
    assert names(memory) == []
