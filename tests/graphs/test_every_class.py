"""What holds for every class that LangGraph is given: it is a light, true, copyable handle for threads and loops."""

from __future__ import annotations

import asyncio
import copy
import doctest
import importlib
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from blockbuster import BlockingError
from blocking import unblocked
from langgraph.checkpoint.base import empty_checkpoint

from botwire import Memory, scope
from botwire_core.errors import InvalidNamespaceError, InvalidValueError
from botwire_core.plugins import registry
from botwire_langgraph.cache import BotWireNodeCache
from botwire_langgraph.plugin import botwire_adapters
from botwire_langgraph.saver import BotWireSaver
from botwire_langgraph.store import BotWireStore

CONFIG: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
FULL_KEY: Any = (("node", "a,b"), "input")


@dataclass(frozen=True)
class Kind:
    """How an object of one class is made, and how a text is put into it and read from it, in both colours."""

    make: Callable[..., Any]
    put: Callable[[Any, str], Any]
    take: Callable[[Any], str]
    aput: Callable[[Any, str], Awaitable[Any]]
    atake: Callable[[Any], Awaitable[str]]


def checkpoint(saver: Any, text: str) -> tuple[Any, ...]:
    version = saver.get_next_version(None, None)
    made = {**empty_checkpoint(), "channel_values": {"said": [text]}, "channel_versions": {"said": version}}
    return CONFIG, made, {"source": "loop", "step": 1, "parents": {}}, {"said": version}


async def atake_item(one: Any) -> str:
    return str((await one.aget(("a",), "k")).value["said"])


async def atake_checkpoint(one: Any) -> str:
    return str((await one.aget_tuple(CONFIG)).checkpoint["channel_values"]["said"][0])


async def atake_cached(one: Any) -> str:
    return str((await one.aget([FULL_KEY]))[FULL_KEY])


KINDS = {
    "store": Kind(
        BotWireStore,
        lambda one, text: one.put(("a",), "k", {"said": text}),
        lambda one: str(one.get(("a",), "k").value["said"]),
        lambda one, text: one.aput(("a",), "k", {"said": text}),
        atake_item,
    ),
    "saver": Kind(
        BotWireSaver,
        lambda one, text: one.put(*checkpoint(one, text)),
        lambda one: str(one.get_tuple(CONFIG).checkpoint["channel_values"]["said"][0]),
        lambda one, text: one.aput(*checkpoint(one, text)),
        atake_checkpoint,
    ),
    "cache": Kind(
        BotWireNodeCache,
        lambda one, text: one.set({FULL_KEY: (text, None)}),
        lambda one: str(one.get([FULL_KEY])[FULL_KEY]),
        lambda one, text: one.aset({FULL_KEY: (text, 60)}),
        atake_cached,
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def test_making_one_touches_no_file_and_all_use_one_namespace(home: Path, kind: Kind) -> None:
    one = kind.make()
    assert bool(one)
    assert not home.exists()
    kind.put(one, "hello")
    assert Memory("langgraph").keys()


def test_it_takes_a_memory_or_the_name_of_one(kind: Kind) -> None:
    kind.put(kind.make("mine"), "hello")
    assert kind.take(kind.make(Memory("mine"))) == "hello"


@pytest.mark.parametrize("memory", [7, object(), ["mine"]])
def test_what_is_neither_is_refused(kind: Kind, memory: object) -> None:
    with pytest.raises(InvalidValueError, match="neither a Memory nor the name"):
        kind.make(memory)
    with pytest.raises(InvalidNamespaceError):
        kind.make("a/b")


def test_it_is_true_when_it_is_empty(kind: Kind, memory: Memory) -> None:
    assert bool(kind.make(memory))


def test_it_shows_where_it_is_and_nothing_else(kind: Kind) -> None:
    one = kind.make(Memory("mine", "memory:shown", token="bw_secret"))
    assert repr(one) == f"{type(one).__name__}(Memory('mine', 'memory:shown'))"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_a_handle_on_the_same_memory(kind: Kind, memory: Memory, copied: Callable[[Any], Any]) -> None:
    one = kind.make(memory)
    other = copied(one)
    kind.put(one, "by the first")
    assert kind.take(other) == "by the first"
    kind.put(other, "by the copy")
    assert kind.take(one) == "by the copy"


def test_both_colours_see_the_same(kind: Kind, memory: Memory) -> None:
    one = kind.make(memory)
    kind.put(one, "sync")
    assert asyncio.run(kind.atake(one)) == "sync"
    asyncio.run(kind.aput(one, "async"))  # type: ignore[arg-type]
    assert kind.take(one) == "async"


def test_nothing_blocks_the_event_loop(kind: Kind, url: str) -> None:
    asyncio.run(kind.aput(kind.make(Memory("warm", url)), "hello"))  # type: ignore[arg-type]  # lazy imports are done

    async def use() -> tuple[str, list[str]]:
        with unblocked() as blocked:
            async with Memory(f"test-{uuid4().hex}", url) as memory:
                one = kind.make(memory)
                await kind.aput(one, "hello")
                return await kind.atake(one), blocked

    assert asyncio.run(use()) == ("hello", [])


def test_the_guard_of_the_event_loop_sees_what_blocks(kind: Kind, tmp_path: Path) -> None:
    async def use_the_other_colour() -> None:
        with unblocked():
            kind.put(kind.make(Memory("blocking", f"sqlite:///{tmp_path}/other.db")), "hello")

    with pytest.raises(BlockingError):
        asyncio.run(use_the_other_colour())


def test_threads_and_two_event_loops_use_one_object_at_once(kind: Kind, memory: Memory) -> None:
    one = kind.make(memory)
    kind.put(one, "0.0")
    ready = threading.Barrier(6)

    def in_a_thread(number: int) -> None:
        ready.wait()
        for turn in range(5):
            kind.put(one, f"{number}.{turn}") if number % 2 else kind.take(one)

    async def in_a_loop(number: int) -> None:
        ready.wait()
        for turn in range(5):
            await asyncio.gather(kind.aput(one, f"{number}.{turn}"), kind.aput(one, f"{number}.{turn}"))

    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(in_a_thread, number) for number in (1, 2, 3, 4)]
        jobs += [pool.submit(asyncio.run, in_a_loop(number)) for number in (5, 6)]
        for job in jobs:
            job.result()
    kind.put(one, "last")
    assert kind.take(one) == asyncio.run(kind.atake(one)) == "last"  # type: ignore[arg-type]


def test_a_fork_of_the_memory_is_one_of_its_own(kind: Kind, memory: Memory) -> None:
    base = kind.make(memory)
    kind.put(base, "base")
    fork = kind.make(memory.fork(f"fork-{uuid4().hex}"))
    assert kind.take(fork) == "base"
    kind.put(fork, "fork")
    assert (kind.take(base), kind.take(fork)) == ("base", "fork")


def test_it_shows_the_past_of_a_memory_at_a_moment(kind: Kind, memory: Memory) -> None:
    one = kind.make(memory)
    kind.put(one, "before")
    past = kind.make(memory.at(memory.snapshot()))
    kind.put(one, "after")
    assert kind.take(past) == "before"


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_inside_a_scope_it_is_a_fork_of_its_own(kind: Kind, memory: Memory, colour: str) -> None:
    async def put_and_take(text: str) -> tuple[str, str]:
        before = await kind.atake(one)
        await kind.aput(one, text)
        return before, await kind.atake(one)

    one = kind.make(memory)
    kind.put(one, "base")
    for variant in ("v1", "v2"):
        with scope(variant=variant, run_id="r1"):
            if colour == "async":
                assert asyncio.run(put_and_take(variant)) == ("base", variant)
            else:
                assert kind.take(one) == "base"
                kind.put(one, variant)
                assert kind.take(one) == variant
    assert kind.take(one) == asyncio.run(kind.atake(one)) == "base"  # type: ignore[arg-type]
    with scope(variant="v1", run_id="r1"):
        assert kind.take(one) == "v1"


def test_one_memory_serves_all_three_and_each_leaves_the_others_alone(memory: Memory) -> None:
    made = [kind.make(memory) for kind in KINDS.values()]
    for kind, one in zip(KINDS.values(), made, strict=True):
        kind.put(one, "mine")
    assert [item.key for item in made[0].search(())] == ["k"]
    assert made[0].list_namespaces() == [("a",)]
    assert len(list(made[1].list(None))) == 1
    made[2].clear()
    made[1].delete_thread("t")
    assert memory.keys() == ["store/a/k"]


def test_the_plugin_declares_all_of_them() -> None:
    (spec,) = botwire_adapters()
    found = [registry().adapter("langgraph", kind) for kind in spec.provides]
    assert found == [BotWireStore, BotWireSaver, BotWireNodeCache]


MODULES = ["cache", "filters", "item_keys", "namespaces", "pieces", "serializing", "store", "thread_keys"]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(f"botwire_langgraph.{name}")):
        Memory("doctest", "memory:doctest").drop()
        assert doctest.DocTestRunner(verbose=False).run(example).failed == 0
