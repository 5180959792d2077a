"""Rows S1, S3, S4 and S8: whatever was planted in a memory, what reads it gives data, in bounds, or raises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from hostile import BYTES, GADGETS, HOSTILE_TEXTS, SECRET, audited, plain
from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, Generation
from scripted import ScriptedModel

from botwire import BotWireChatHistory, Memory, StoreCorruptError
from botwire_langchain.cache import BotWireCache
from botwire_langchain.middleware import BotWireMemoryMiddleware
from botwire_langchain.store import BotWireByteStore
from botwire_langchain.tools import memory_tools

PLANTED = [*GADGETS, *BYTES]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTWIRE_TESTING_SECRET", SECRET)


def answers(gadget: Any) -> list[Any]:
    """A gadget in every place of a cached answer, and in place of one."""
    found: list[Any] = [gadget, {"generations": gadget}, {"generations": [gadget]}]
    for kind in ("Generation", "GenerationChunk", "ChatGeneration", "ChatGenerationChunk", gadget):
        for message in ("ai", "AIMessageChunk", "tool", "remove", gadget):
            data = {"content": "x", "tool_call_id": "1", "id": "m"}
            whole = {"type": kind, "text": "x", "generation_info": None, "message": {"type": message, "data": data}}
            found.append({"generations": [{**whole, "generation_info": gadget}]})
            found.append({"generations": [{**whole, "generation_info": {"it": gadget}}]})
            found.append({"generations": [{**whole, "text": gadget, "type": kind}]})
            found.append({"generations": [{**whole, "message": gadget}]})
            found.append({"generations": [{**whole, "message": {"type": message, "data": gadget}}]})
            if isinstance(gadget, dict):
                found.append({"generations": [{**whole, **gadget}]})
                found.append({"generations": [{**whole, "message": {"type": message, "data": {**data, **gadget}}}]})
            for field in ("content", "additional_kwargs", "response_metadata", "tool_calls", "usage_metadata", "name"):
                planted = {"type": message, "data": {**data, field: gadget}}
                found.append({"generations": [{**whole, "message": planted}]})
    return found


@pytest.mark.parametrize("gadget", PLANTED, ids=range(len(PLANTED)))
def test_row_s1_a_planted_answer_is_inert_data_or_a_miss(gadget: Any) -> None:
    cache = BotWireCache("cache")
    cache.update("prompt", "model", [ChatGeneration(message=AIMessage("x")), Generation(text="x")])
    (key,) = cache.memory.keys()
    # Whatever is imported or compiled at its first use is so now.
    assert cache.lookup("prompt", "model")
    cache.memory.set(key, 7)
    assert cache.lookup("prompt", "model") is None
    for value in [gadget] if isinstance(gadget, bytes) else answers(gadget):
        cache.memory.set(key, value)
        with audited() as events:
            found = cache.lookup("prompt", "model")
        assert events == []
        for generation in found or []:
            assert type(generation).__module__.startswith("langchain_core.outputs.")
            assert plain(generation.generation_info)
            if isinstance(generation, ChatGeneration):
                assert all(plain(part) for part in generation.message.model_dump().values())
                assert type(generation.message).__module__.startswith("langchain_core.messages.")
                assert isinstance(generation.message, BaseMessage)
        assert SECRET not in repr(found)


@pytest.mark.parametrize("gadget", PLANTED, ids=range(len(PLANTED)))
def test_row_s1_a_planted_value_is_data_to_a_store_a_tool_and_a_model(gadget: Any) -> None:
    memory = Memory("planted")
    memory.set_many({"key": gadget, "other": 1})
    store, (_, recall, _) = BotWireByteStore(memory), memory_tools(memory)
    middleware = BotWireMemoryMiddleware(memory, keys=["key"])
    request: ModelRequest[Any] = ModelRequest(model=ScriptedModel(script=[]), messages=[HumanMessage("?")])
    asked: list[Any] = []

    def handler(request: ModelRequest[Any]) -> ModelResponse[Any]:
        asked.append(request.system_message)
        return ModelResponse(result=[AIMessage("Done.")])

    # The tool's own function: LangChain compiles its annotations at each call.
    assert recall.func is not None
    store.mget(["other"])
    recall.func(key="other")
    middleware.wrap_model_call(request, handler)
    with audited() as events:
        (data,) = store.mget(["key"])
        told = json.loads(recall.func(key="key"))
        middleware.wrap_model_call(request, handler)
    assert events == []
    assert data is not None
    if isinstance(gadget, bytes):
        assert data == gadget
        assert told["encoding"] == "base64"
    else:
        assert json.loads(data) == told["value"] == gadget
    assert SECRET not in repr([data, told, asked])


READERS: dict[str, tuple[Callable[[Memory], Any], Callable[[Any], Any]]] = {
    "history": (lambda memory: BotWireChatHistory("user-42", memory), lambda one: one.messages),
    "byte store": (BotWireByteStore, lambda one: one.mget(["key"])),
    "cache": (BotWireCache, lambda one: one.lookup("prompt", "model")),
    "tools": (lambda memory: memory_tools(memory)[1], lambda one: one.invoke({"key": "key"})),
}


@pytest.mark.parametrize("reader", READERS)
def test_row_s3_a_row_that_was_edited_in_the_file_is_refused(tmp_path: Path, reader: str) -> None:
    url = f"sqlite:///{tmp_path}/memory.db"
    make, read = READERS[reader]
    with Memory("planted", url) as memory:
        memory.set("key", {"lc": 1})
        BotWireChatHistory("user-42", memory).add_user_message("hello")
        BotWireCache(memory).update("prompt", "model", [Generation(text="Paris")])
        assert read(make(memory))
    connection = apsw.Connection(str(tmp_path / "memory.db"))
    edit = "UPDATE versions SET value = CAST(replace(CAST(value AS TEXT), ?1, ?2) AS BLOB) WHERE instr(value, ?1)"
    for old, new in (('{"lc":', '{"xx":'), ("Paris", "Berne"), ("hello", "howdy")):
        connection.execute(edit, (old, new))
    assert connection.total_changes() == 3
    connection.close()
    with Memory("planted", url) as memory, pytest.raises(StoreCorruptError):
        read(make(memory))


def test_row_s4_200_hostile_keys_and_prefixes_are_only_text(memory: Memory) -> None:
    store, (remember, recall, list_memory, forget) = BotWireByteStore(memory), memory_tools(memory, forget=True)
    assert len(HOSTILE_TEXTS) >= 200
    store.mset([(text, text.encode()) for text in HOSTILE_TEXTS])
    expected = sorted(HOSTILE_TEXTS, key=str.encode)
    assert list(store.yield_keys()) == expected
    assert store.mget(HOSTILE_TEXTS) == [text.encode() for text in HOSTILE_TEXTS]
    for text in HOSTILE_TEXTS:
        under = [key for key in expected if key.startswith(text)]
        assert list(store.yield_keys(prefix=text)) == under
        assert json.loads(list_memory.invoke({"prefix": text}))["keys"] == under[:100]
        assert json.loads(list_memory.invoke({"after": text}))["keys"] == [key for key in expected if key > text][:100]
        assert json.loads(remember.invoke({"key": text, "value": text}))["version"] == 2
        assert json.loads(recall.invoke({"key": text}))["value"] == text
    for text in HOSTILE_TEXTS:
        assert json.loads(forget.invoke({"key": text}))["forgotten"] is True
    assert memory.keys() == []


def test_row_s8_what_a_tool_answers_is_bounded_and_says_so(memory: Memory) -> None:
    memory.set_many({f"key {number:05}": "x" for number in range(5000)})
    memory.set_many({"a story": "é" * 1_000_000, "an object": {"deep": ["x" * 1_000_000]}, "bytes": bytes(1_000_000)})
    _, recall, list_memory = memory_tools(memory, max_items=20, max_bytes=300)

    for key in ("a story", "an object", "bytes"):
        told = json.loads(recall.invoke({"key": key}))
        assert told["truncated"] is True
        assert told["bytes"] > 1_000_000
        assert len(told["value_start"].encode()) <= 300
        assert "value" not in told
    assert json.loads(recall.invoke({"key": "key 00000"}))["value"] == "x"

    listed = json.loads(list_memory.invoke({}))
    assert listed["truncated"] is True
    assert listed["next_after"] == listed["keys"][-1]
    assert len(listed["keys"]) == 20
    memory.set_many({"long " * 200 + str(number): 1 for number in range(20)})
    assert len(list_memory.invoke({"prefix": "long"})) < 2500
    assert len(recall.invoke({"key": "long "})) < 2500
