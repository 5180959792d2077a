"""What holds for every class that LangChain is given: it is a light, true, copyable handle for threads and loops."""

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

import apsw
import pytest
from blockbuster import BlockingError
from blocking import unblocked
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import Generation
from scripted import ScriptedModel, calling

from botwire import Memory, scope
from botwire_core.errors import InvalidNamespaceError, InvalidValueError
from botwire_core.plugins import registry
from botwire_langchain.cache import BotWireCache
from botwire_langchain.history import BotWireChatHistory
from botwire_langchain.middleware import BotWireMemoryMiddleware
from botwire_langchain.plugin import botwire_adapters
from botwire_langchain.store import BotWireByteStore
from botwire_langchain.tools import memory_tools


@dataclass(frozen=True)
class Kind:
    """How an object of one class is made, and how a text is put into it and read from it, in both colours."""

    make: Callable[..., Any]
    namespace: str
    put: Callable[[Any, str], None]
    take: Callable[[Any], str]
    aput: Callable[[Any, str], Awaitable[None]]
    atake: Callable[[Any], Awaitable[str]]


def asked(middleware: Any) -> tuple[Any, ScriptedModel]:
    model = ScriptedModel(script=[AIMessage("Done.")])
    return create_agent(model, middleware=[middleware]), model


def seen(model: ScriptedModel) -> str:
    return str(model.asked[0][0].content).partition('"value": "')[2].partition('"')[0]


def take_middleware(one: Any) -> str:
    agent, model = asked(one)
    agent.invoke({"messages": [HumanMessage("?")]})
    return seen(model)


async def atake_middleware(one: Any) -> str:
    agent, model = asked(one)
    await agent.ainvoke({"messages": [HumanMessage("?")]})
    return seen(model)


async def aput_answer(one: Any, text: str) -> None:
    await one.aupdate("prompt", "model", [Generation(text=text)])


async def atake_answer(one: Any) -> str:
    return str((await one.alookup("prompt", "model"))[0].text)


async def aput_bytes(one: Any, text: str) -> None:
    await one.amset([("key", text.encode())])


async def atake_bytes(one: Any) -> str:
    assert [key async for key in one.ayield_keys()] == ["key"]
    return str((await one.amget(["key"]))[0].decode())


async def aput_message(one: Any, text: str) -> None:
    await one.aadd_messages([HumanMessage(text)])


async def atake_message(one: Any) -> str:
    return str((await one.aget_messages())[-1].content)


async def aput_by_tool(one: Any, text: str) -> None:
    await one[0].ainvoke({"key": "key", "value": text})


async def atake_by_tool(one: Any) -> str:
    assert "key" in await one[2].ainvoke({})
    return (await one[1].ainvoke({"key": "key"})).partition('"value": "')[2].partition('"')[0]  # type: ignore[no-any-return]


async def aput_for_middleware(one: Any, text: str) -> None:
    await one.memory.aset("key", text)


KINDS = {
    "history": Kind(
        lambda *memory: BotWireChatHistory("user-42", *memory),
        "langchain-sessions",
        lambda one, text: one.add_messages([HumanMessage(text)]),
        lambda one: str(one.messages[-1].content),
        aput_message,
        atake_message,
    ),
    "byte store": Kind(
        BotWireByteStore,
        "langchain-store",
        lambda one, text: one.mset([("key", text.encode())]),
        lambda one: str(one.mget(["key"])[0].decode()),
        aput_bytes,
        atake_bytes,
    ),
    "cache": Kind(
        BotWireCache,
        "langchain-cache",
        lambda one, text: one.update("prompt", "model", [Generation(text=text)]),
        lambda one: str(one.lookup("prompt", "model")[0].text),
        aput_answer,
        atake_answer,
    ),
    "tools": Kind(
        memory_tools,
        "langchain-memory",
        lambda one, text: one[0].invoke({"key": "key", "value": text}),
        lambda one: str(one[1].invoke({"key": "key"}).partition('"value": "')[2].partition('"')[0]),
        aput_by_tool,
        atake_by_tool,
    ),
    "middleware": Kind(
        lambda *memory: BotWireMemoryMiddleware(*memory, keys=["key"]),
        "langchain-memory",
        lambda one, text: one.memory.set("key", text),
        take_middleware,
        aput_for_middleware,
        atake_middleware,
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def test_making_one_touches_no_file_and_uses_a_namespace_of_its_own(home: Path, kind: Kind) -> None:
    one = kind.make()
    assert bool(one)
    assert not home.exists()
    kind.put(one, "hello")
    assert Memory(kind.namespace).keys()


def test_it_takes_a_memory_or_the_name_of_one(kind: Kind) -> None:
    kind.put(kind.make("mine"), "hello")
    assert kind.take(kind.make(Memory("mine"))) == "hello"
    assert Memory("mine").keys()


@pytest.mark.parametrize("memory", [7, object(), ["mine"]])
def test_what_is_neither_is_refused(kind: Kind, memory: object) -> None:
    with pytest.raises(InvalidValueError, match="neither a Memory nor the name"):
        kind.make(memory)
    with pytest.raises(InvalidNamespaceError):
        kind.make("a/b")


def test_it_is_true_when_it_is_empty(kind: Kind, memory: Memory) -> None:
    assert bool(kind.make(memory))


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
    asyncio.run(kind.aput(one, "async"))
    assert kind.take(one) == "async"


def test_nothing_blocks_the_event_loop(kind: Kind, url: str) -> None:
    asyncio.run(kind.aput(kind.make(Memory("warm", url)), "hello"))  # what is imported lazily is imported by then

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

    async def commit() -> list[str]:
        connection = apsw.Connection(":memory:")
        with unblocked() as blocked:
            for hook in apsw.connection_hooks:
                hook(connection)
            connection.execute("CREATE TABLE t (x)")
            return blocked

    assert asyncio.run(commit()) == ["open", "commit"]


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
    assert kind.take(one) == asyncio.run(kind.atake(one)) == "last"


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
    assert kind.take(one) == asyncio.run(kind.atake(one)) == "base"
    with scope(variant="v1", run_id="r1"):
        assert kind.take(one) == "v1"


def test_keys_are_those_of_the_scope_in_which_they_were_asked_for(memory: Memory) -> None:
    store = BotWireByteStore(memory)
    with scope(variant="v1", run_id="r1"):
        store.mset([("a", b"1")])
        keys = store.yield_keys()
    assert list(keys) == ["a"]
    assert list(store.yield_keys()) == []


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_the_tools_of_an_agent_stay_in_the_scope_that_it_runs_in(memory: Memory, colour: str) -> None:
    # LangGraph runs tools in threads or tasks of its own.
    for variant in ("v1", "v2"):
        script = [calling("remember", key="key", value=variant), calling("recall", key="key"), AIMessage("Done.")]
        agent = create_agent(
            ScriptedModel(script=script),
            memory_tools(memory),
            middleware=[BotWireMemoryMiddleware(memory, prefixes=[""])],
        )
        question: Any = {"messages": [HumanMessage("?")]}
        with scope(variant=variant, run_id="r1"):
            agent.invoke(question) if colour == "sync" else asyncio.run(agent.ainvoke(question))
            assert memory.get("key") == variant
    assert memory.keys() == []


def test_the_plugin_declares_all_of_them() -> None:
    declared = [target for spec in botwire_adapters() for target in spec.provides.values()]
    assert [registry().adapter("langchain", kind) for spec in botwire_adapters() for kind in spec.provides] == [
        BotWireChatHistory, BotWireByteStore, BotWireCache, memory_tools, BotWireMemoryMiddleware
    ]  # fmt: skip
    assert len(declared) == len(set(declared)) == len(KINDS)


MODULES = ["cache", "generations", "history", "messages", "middleware", "store", "tools"]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(f"botwire_langchain.{name}")):
        Memory("doctest", "memory:doctest").drop()
        assert doctest.DocTestRunner(verbose=False).run(example).failed == 0
