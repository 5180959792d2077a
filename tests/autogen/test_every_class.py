"""What holds for every class that AutoGen is given: it is a light, true, copyable handle for loops and threads."""

from __future__ import annotations

import asyncio
import copy
import doctest
import importlib
import json
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from autogen_core import CancellationToken, ComponentBase
from autogen_core.memory import MemoryContent, MemoryMimeType
from autogen_core.models import UserMessage
from blockbuster import blockbuster_ctx
from blocking import unblocked

from botwire import Memory, scope
from botwire_autogen.cache import BotWireCacheStore
from botwire_autogen.context import BotWireChatCompletionContext
from botwire_autogen.memory import BotWireMemory
from botwire_autogen.plugin import botwire_adapters
from botwire_autogen.state import load_team, save_team
from botwire_autogen.tools import MemoryTool, RecallTool, RememberTool, memory_tools
from botwire_core.errors import InvalidNamespaceError, InvalidValueError, UnknownStoreError
from botwire_core.plugins import registry

TOKEN = "bw_a-secret-that-no-dump-may-hold"


@dataclass(frozen=True)
class Kind:
    """How an object of one class is made, and how a text is put into it and read from it."""

    make: Callable[..., Any]
    namespace: str
    put: Callable[[Any, str], Awaitable[Any]]
    take: Callable[[Any], Awaitable[str]]


async def add(one: Any, text: str) -> None:
    await one.add(MemoryContent(content=text, mime_type=MemoryMimeType.TEXT))


async def newest(one: Any) -> str:
    return str((await one.query("")).results[-1].content)


async def set_key(one: Any, text: str) -> None:
    one.set("key", text)
    await one.aflush()


async def get_key(one: Any) -> str:
    return str(one.get("key"))


async def tell(one: Any, text: str) -> None:
    await one.add_message(UserMessage(content=text, source="user"))


async def told(one: Any) -> str:
    return str((await one.get_messages())[-1].content)


async def remember(one: Any, text: str) -> None:
    await RememberTool(one.memory).run_json({"key": "key", "value": text}, CancellationToken())


async def recall(one: Any) -> str:
    return str(json.loads(await one.run_json({"key": "key"}, CancellationToken()))["value"])


KINDS = {
    "memory": Kind(BotWireMemory, "autogen-memory", add, newest),
    "cache": Kind(BotWireCacheStore, "autogen-cache", set_key, get_key),
    "context": Kind(BotWireChatCompletionContext, "autogen-contexts", tell, told),
    "tools": Kind(lambda *memory: memory_tools(*memory)[1], "autogen-memory", remember, recall),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def test_making_one_touches_no_file_and_uses_a_namespace_of_its_own(home: Path, kind: Kind) -> None:
    one = kind.make()
    assert bool(one)
    assert not home.exists()
    asyncio.run(kind.put(one, "hello"))
    assert Memory(kind.namespace).keys()


async def test_it_takes_a_memory_or_the_name_of_one(kind: Kind) -> None:
    await kind.put(kind.make("mine"), "hello")
    assert await kind.take(kind.make(Memory("mine"))) == "hello"


@pytest.mark.parametrize("memory", [7, object(), ["mine"]])
def test_what_is_neither_is_refused(kind: Kind, memory: object) -> None:
    with pytest.raises(InvalidValueError, match="neither a Memory nor the name"):
        kind.make(memory)
    with pytest.raises(InvalidNamespaceError):
        kind.make("a/b")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
async def test_a_copy_is_a_handle_on_the_same_memory(kind: Kind, memory: Memory, copied: Callable[[Any], Any]) -> None:
    one = kind.make(memory)
    other = copied(one)
    assert bool(one) and bool(other)
    await kind.put(one, "by the first")
    assert await kind.take(other) == "by the first"
    await kind.put(other, "by the copy")
    assert await kind.take(one) == "by the copy"


def test_nothing_blocks_the_event_loop(kind: Kind, url: str) -> None:
    async def warm() -> None:
        await kind.put(kind.make(Memory("warm", url)), "hello")  # what is imported lazily is imported by then

    async def use() -> tuple[str, list[str]]:
        async with Memory(f"test-{uuid4().hex}", url) as memory:
            one = kind.make(memory)
            with unblocked() as blocked:
                await kind.put(one, "hello")
                if kind is not KINDS["cache"]:
                    return await kind.take(one), blocked
            return await kind.take(one), blocked  # AutoGen awaits no answer of a cache

    asyncio.run(warm())
    assert asyncio.run(use()) == ("hello", [])


def test_threads_with_event_loops_of_their_own_use_one_object_at_once(kind: Kind, memory: Memory) -> None:
    one = kind.make(memory)
    asyncio.run(kind.put(one, "0.0"))
    ready = threading.Barrier(4)

    async def in_a_loop(number: int) -> None:
        ready.wait()
        for turn in range(3):
            await asyncio.gather(kind.put(one, f"{number}.{turn}"), kind.take(one))

    with ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(asyncio.run, in_a_loop(number)) for number in range(4)]:
            job.result()
    asyncio.run(kind.put(one, "last"))
    assert asyncio.run(kind.take(one)) == "last"


async def test_it_shows_a_fork_and_the_past_of_a_memory(kind: Kind, memory: Memory) -> None:
    base = kind.make(memory)
    await kind.put(base, "base")
    past = kind.make(memory.at(memory.snapshot()))
    fork = kind.make(memory.fork(f"fork-{uuid4().hex}"))
    await kind.put(fork, "fork")
    assert (await kind.take(base), await kind.take(fork)) == ("base", "fork")
    await kind.put(base, "later")
    assert await kind.take(past) == "base"


async def test_inside_a_scope_it_is_a_fork_of_its_own(kind: Kind, memory: Memory) -> None:
    one = kind.make(memory)
    await kind.put(one, "base")
    for variant in ("v1", "v2"):
        with scope(variant=variant, run_id="r1"):
            assert await kind.take(one) == "base"
            await kind.put(one, variant)
            assert await kind.take(one) == variant
    assert await kind.take(one) == "base"
    with scope(variant="v1", run_id="r1"):
        assert await kind.take(one) == "v1"


class TestDumps:
    async def test_a_dump_restores_a_handle_on_the_same_memory(self, kind: Kind, memory: Memory) -> None:
        one = kind.make(memory)
        await kind.put(one, "hello")
        dump = json.loads(one.dump_component().model_dump_json())
        other = ComponentBase.load_component(dump, expected=type(one))
        assert await kind.take(other) == "hello"
        assert other.dump_component() == one.dump_component()

    def test_a_dump_holds_no_secret_and_names_a_public_class(self, kind: Kind) -> None:
        url = "https://ana:pass-word@memory.example.com?api_key=pass-word&timeout=3&Token=pass-word"
        memory = Memory("mine", url, token=TOKEN, author="ana-bot")
        dump = kind.make(memory).dump_component()
        text = dump.model_dump_json()
        assert TOKEN not in text
        assert "pass-word" not in text
        assert dump.config["namespace"] == "mine"
        assert dump.config["url"] == "https://memory.example.com?timeout=3"
        assert dump.config["author"] == "ana-bot"
        assert "._" not in dump.provider
        assert dump.provider.startswith("botwire_autogen.")

    def test_a_dump_of_the_usual_store_names_no_store(self, kind: Kind) -> None:
        assert "url" not in kind.make("mine").dump_component().config

    async def test_a_dump_inside_a_scope_names_the_base(self, kind: Kind, memory: Memory) -> None:
        one = kind.make(memory)
        with scope(variant="v1", run_id="r1"):
            await kind.put(one, "v1")
            assert one.dump_component().config["namespace"] == memory.namespace

    async def test_a_dump_of_what_stays_in_its_process_restores_nothing_by_mistake(
        self, kind: Kind, memory: Memory
    ) -> None:
        await kind.put(kind.make(memory), "hello")
        past = kind.make(memory.at(memory.snapshot()))
        other = ComponentBase.load_component(past.dump_component(), expected=type(past))
        with pytest.raises(UnknownStoreError):
            await kind.take(other)

    @pytest.mark.parametrize("config", [{}, {"namespace": "a/b"}, {"namespace": 7}, {"namespace": "a", "url": []}])
    def test_a_bad_dump_is_refused(self, kind: Kind, config: dict[str, Any]) -> None:
        dump = kind.make("mine").dump_component()
        dump.config = config
        with pytest.raises(ValueError):
            ComponentBase.load_component(dump, expected=object)


def test_the_plugin_declares_all_of_them() -> None:
    (spec,) = botwire_adapters()
    assert [registry().adapter("autogen", kind) for kind in spec.provides] == [
        BotWireMemory, BotWireCacheStore, BotWireChatCompletionContext, memory_tools, save_team, load_team
    ]  # fmt: skip
    assert {kind: status for kind, status in KINDS.items() if not status.namespace.startswith("autogen-")} == {}


def test_the_guard_sees_a_cache_that_is_asked_over_http(server: str) -> None:
    async def look() -> None:
        one = BotWireCacheStore(Memory(f"test-{uuid4().hex}", server))
        with blockbuster_ctx():
            one.get("key")

    with pytest.raises(Exception, match="Blocking call"):
        asyncio.run(look())


@pytest.mark.parametrize("tool", MemoryTool.__subclasses__())
def test_a_tool_is_made_by_itself_too(tool: type[MemoryTool]) -> None:
    assert tool("mine").memory.namespace == "mine"
    assert isinstance(RecallTool(), RecallTool)


MODULES = ["blocks", "cache", "context", "memory", "tools"]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    tried = 0
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(f"botwire_autogen.{name}")):
        Memory("doctest", "memory:doctest").drop()
        result = doctest.DocTestRunner(verbose=False).run(example)
        tried += result.attempted
        assert result.failed == 0
    assert tried
