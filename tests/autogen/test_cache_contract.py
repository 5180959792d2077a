"""What a cache store of AutoGen has to do: its own `InMemoryStore` first, then ours, embedded and over HTTP."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from autogen.teams import calling, scripted
from autogen_core import CacheStore, FunctionCall, InMemoryStore
from autogen_core.models import CreateResult, RequestUsage, UserMessage
from autogen_ext.models.cache import ChatCompletionCache
from blocking import unblocked

from botwire import Memory, scope
from botwire_autogen.cache import BotWireCacheStore
from botwire_core.errors import InvalidValueError, StoreReadOnlyError

ANSWER = CreateResult(finish_reason="stop", content="Paris", usage=RequestUsage(1, 2), cached=False, thought="easy")
QUESTION = [UserMessage(content="The capital of France?", source="user")]


@pytest.fixture(params=["InMemoryStore", "sqlite", "http"])
def one(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Iterator[CacheStore[Any]]:
    if request.param == "InMemoryStore":
        yield InMemoryStore()
        return
    with Memory(f"test-{uuid4().hex}", url_of(request.param)) as memory:
        yield BotWireCacheStore(memory)


class TestEveryStore:
    @pytest.mark.parametrize("value", ["text", "", {"a": [1, None, 2.5]}, [], ["a", {"b": 1}], 7, True, b"\x00\xff"])
    def test_what_was_set_is_got(self, one: CacheStore[Any], value: Any) -> None:
        one.set("key", value)
        assert one.get("key") == value
        assert type(one.get("key")) is type(value)

    @pytest.mark.parametrize("key", ["a", "", "a/b", "%2F", "é ☕", "x" * 3000, "\0", "..", "\ud800"])
    def test_any_text_is_a_key_of_its_own(self, one: CacheStore[Any], key: str) -> None:
        one.set(key, "value")
        assert one.get(key) == "value"
        assert one.get(key + "!") is None
        assert one.get("cache/" + key) is None

    def test_what_is_absent_is_the_default(self, one: CacheStore[Any]) -> None:
        assert one.get("key") is None
        assert one.get("key", "nothing") == "nothing"

    def test_the_last_value_stays(self, one: CacheStore[Any]) -> None:
        one.set("key", 1)
        one.set("key", 2)
        assert one.get("key") == 2

    def test_an_empty_store_is_true(self, one: CacheStore[Any]) -> None:
        assert bool(one)

    async def test_a_store_in_a_loop_sees_what_was_set_at_once(self, one: CacheStore[Any]) -> None:
        for number in range(20):
            one.set("key", number)
            assert one.get("key") == number

    async def test_an_answer_is_paid_for_once(self, one: CacheStore[Any]) -> None:
        model = scripted(ANSWER)
        cached = ChatCompletionCache(model, one)
        first = await cached.create(QUESTION)
        assert (first.content, len(model.create_calls)) == ("Paris", 1)
        again = await ChatCompletionCache(model, one).create(QUESTION)
        assert (again.content, again.thought, again.cached, again.usage) == ("Paris", "easy", True, RequestUsage(1, 2))
        assert len(model.create_calls) == 1

    async def test_a_stream_is_paid_for_once(self, one: CacheStore[Any]) -> None:
        cached = ChatCompletionCache(scripted("a b"), one)
        first = [part async for part in cached.create_stream(QUESTION)]
        again = [part async for part in cached.create_stream(QUESTION)]
        assert first[:-1] == again[:-1] == ["a ", "b"]
        assert again[-1].content == "a b"  # type: ignore[union-attr]

    async def test_a_call_of_a_tool_comes_back_as_one(self, one: CacheStore[Any]) -> None:
        cached = ChatCompletionCache(scripted(calling("recall", key="a")), one)
        await cached.create(QUESTION)
        again = await cached.create(QUESTION)
        assert again.content == [FunctionCall("call recall", '{"key": "a"}', "recall")]

    def test_a_dump_restores_it(self, one: CacheStore[Any]) -> None:
        other: CacheStore[Any] = CacheStore.load_component(one.dump_component().model_dump())
        assert type(other) is type(one)
        other.set("key", 1)
        assert other.get("key") == 1


class TestWhatIsMeantToDiffer:
    """The rows of the table in docs/how-to/autogen.md, theirs and ours."""

    def test_models_come_back_as_plain_data(self, memory: Memory) -> None:
        ours, theirs = BotWireCacheStore(memory), InMemoryStore[Any]()
        for one in (ours, theirs):
            one.set("key", ["part", ANSWER])
        assert theirs.get("key") == ["part", ANSWER]
        assert ours.get("key") == ["part", ANSWER.model_dump(mode="json")]

    @pytest.mark.parametrize("value", [object(), {1, 2}, (1, 2), {1: 2}, float("nan"), "\ud800", lambda: 1])
    async def test_what_is_not_json_is_refused_at_once(self, memory: Memory, value: object) -> None:
        InMemoryStore[Any]().set("key", value)
        with pytest.raises(InvalidValueError):
            BotWireCacheStore(memory).set("key", value)

    def test_values_are_fresh_and_theirs_are_shared(self, memory: Memory) -> None:
        ours, theirs = BotWireCacheStore(memory), InMemoryStore[Any]()
        for one in (ours, theirs):
            one.set("key", {"a": 1})
            one.get("key")["a"] = 2
        assert (ours.get("key"), theirs.get("key")) == ({"a": 1}, {"a": 2})

    def test_ours_survives_in_its_memory_and_can_be_cleared(self, memory: Memory) -> None:
        BotWireCacheStore(memory).set("key", 1)
        other = BotWireCacheStore(memory)
        memory.set("mine", 1)
        assert other.get("key") == 1
        other.clear()
        assert other.get("key") is None
        assert memory.keys() == ["mine"]


class TestOurs:
    async def test_a_set_in_a_loop_holds_nothing_up(self, url: str) -> None:
        with Memory(f"test-{uuid4().hex}", url) as memory:
            one = BotWireCacheStore(memory)
            value = {"a": 1}
            with unblocked() as blocked:
                one.set("key", value)
                value["a"] = 2
                await one.aflush()
            assert blocked == []
            assert one.get("key") == {"a": 1}

    async def test_what_was_set_in_a_loop_is_written_before_close_returns(self, memory: Memory, url: str) -> None:
        one = BotWireCacheStore(memory)
        for number in range(50):
            one.set(str(number), number)
        await one.close()
        with Memory(memory.namespace, url) as other:
            assert len(await other.alist_keys("cache/")) == 50

    async def test_a_write_stays_in_the_scope_that_asked_for_it(self, memory: Memory) -> None:
        one = BotWireCacheStore(memory)
        for variant in ("v1", "v2"):
            with scope(variant=variant, run_id="r1"):
                assert one.get("key") is None
                one.set("key", variant)
        with scope(variant="v1", run_id="r1"):
            assert one.get("key") == "v1"
        assert one.get("key") is None

    async def test_what_a_thread_could_not_write_is_logged_without_the_value(
        self, memory: Memory, caplog: pytest.LogCaptureFixture
    ) -> None:
        memory.set("a", 1)
        past = BotWireCacheStore(memory.at(memory.snapshot()))
        with pytest.raises(StoreReadOnlyError):
            past.set("key", "secret")
        closed = BotWireCacheStore(Memory("test", "in-process:"))
        closed.set("key", "secret")
        await closed.aflush()
        assert "an answer was not cached in test" in caplog.text
        assert "secret" not in caplog.text

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_a_child_of_fork_writes_by_a_thread_of_its_own(self, tmp_path: Any) -> None:
        one = BotWireCacheStore(Memory("test", f"sqlite:///{tmp_path}/fork.db"))

        async def put(key: str) -> None:
            one.set(key, key)
            await one.aflush()

        asyncio.run(put("parent"))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                asyncio.run(put("child"))
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert (one.get("parent"), one.get("child")) == ("parent", "child")

    def test_what_was_set_in_a_loop_is_written_at_the_end_of_the_process(self, url: str) -> None:
        namespace = f"test-{uuid4().hex}"
        code = f"""
import asyncio
from botwire_autogen.cache import BotWireCacheStore
from botwire import Memory
async def main():
    one = BotWireCacheStore(Memory({namespace!r}, {url!r}))
    for number in range(20):
        one.set(str(number), number)
asyncio.run(main())
"""
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, "")
        assert len(Memory(namespace, url).keys("cache/")) == 20

    async def test_stored_bytes_and_odd_values_are_no_answers(self, memory: Memory) -> None:
        model = scripted("Paris", "Paris")
        cached = ChatCompletionCache(model, BotWireCacheStore(memory))
        await cached.create(QUESTION)
        await BotWireCacheStore(memory).aflush()
        cached.store.flush()  # type: ignore[attr-defined]
        (key,) = memory.keys()
        memory.set(key, b"cos\nsystem\n(S'false'\ntR.")
        assert (await cached.create(QUESTION)).content == "Paris"
        assert len(model.create_calls) == 2

    async def test_a_time_to_live_ends(self, memory: Memory) -> None:
        one = BotWireCacheStore(memory, ttl=3600)
        one.set("key", 1)
        one.flush()
        left = memory.ttl("cache/key")
        assert left is not None
        assert 3500 < left <= 3600
