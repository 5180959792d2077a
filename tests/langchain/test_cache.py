"""`BotWireCache`: a hit is what was stored, anything doubtful is a miss, and a run never fails because of it."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import FakeListLLM, GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, GenerationChunk

from botwire import InvalidValueError, Memory
from botwire_core.codec import MAX_VALUE_BYTES
from botwire_core.stores.dict import DictStore
from botwire_core.testing import ManualClock
from botwire_langchain.cache import BotWireCache, CacheWarning
from botwire_langchain.generations import from_generation_record, to_generation_record

CALL = {"name": "look_up", "args": {"order": 7, "deep": [1, 1.5, None]}, "id": "c1", "type": "tool_call"}
ANSWERS: list[list[Generation]] = [
    [Generation(text="Paris", generation_info={"reason": "stop", "nested": [1, {"a": None}]}), Generation(text="")],
    [GenerationChunk(text="Par", generation_info=None)],
    [ChatGeneration(message=AIMessage("Paris", id="m1", tool_calls=[CALL], response_metadata={"model": "x"}))],
    [ChatGeneration(message=AIMessage([{"type": "text", "text": "Paris"}, {"type": "reasoning", "reasoning": "x"}]))],
    [ChatGeneration(message=AIMessage("x", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}))],
    [ChatGenerationChunk(message=AIMessageChunk("Par", chunk_position="last"))],
    [ChatGeneration(message=ToolMessage("x", tool_call_id="c1")), ChatGeneration(message=HumanMessage("x"))],
]


@pytest.fixture
def cache(memory: Memory) -> BotWireCache:
    return BotWireCache(memory)


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_comes_back_as_it_was(cache: BotWireCache, answer: list[Generation], colour: str) -> None:
    async def there_and_back() -> Any:
        await cache.aupdate("prompt", "model", answer)
        return await cache.alookup("prompt", "model")

    if colour == "async":
        found = asyncio.run(there_and_back())
    else:
        cache.update("prompt", "model", answer)
        found = cache.lookup("prompt", "model")
    assert found == answer
    assert type(found) is list  # a tuple is a miss to LangChain
    assert [type(one) for one in found] == [type(one) for one in answer]


def test_what_is_given_back_belongs_to_the_caller(cache: BotWireCache) -> None:
    cache.update("prompt", "model", [ChatGeneration(message=AIMessage("Paris", additional_kwargs={"a": [1]}))])
    (given,) = cache.lookup("prompt", "model") or []
    assert isinstance(given, ChatGeneration)
    given.message.additional_kwargs["a"].append(2)
    (again,) = cache.lookup("prompt", "model") or []
    assert isinstance(again, ChatGeneration)
    assert again.message.additional_kwargs == {"a": [1]}


def test_prompt_and_model_are_never_mixed_up(cache: BotWireCache) -> None:
    pairs = [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("1:a", "bc"), ("\ud800", "x"), ("x" * 100_000, "y")]
    for number, (prompt, model) in enumerate(pairs):
        cache.update(prompt, model, [Generation(text=str(number))])
    for number, (prompt, model) in enumerate(pairs):
        assert cache.lookup(prompt, model) == [Generation(text=str(number))]


def test_memory_shows_an_answer_as_readable_json_and_no_prompt(cache: BotWireCache) -> None:
    cache.update("my secret prompt", "model", [ChatGeneration(message=AIMessage("Paris"))])
    (entry,) = cache.memory.entries()
    assert entry.key.startswith("llm/")
    assert entry.value["generations"][0]["message"]["data"]["content"] == "Paris"
    assert "my secret prompt" not in entry.key + str(entry.value)


def test_clear_forgets_the_answers_and_nothing_else(cache: BotWireCache) -> None:
    cache.memory.set("llm", "mine")
    for clear in (cache.clear, lambda: asyncio.run(cache.aclear())):
        cache.update("prompt", "model", [Generation(text="Paris")])
        clear()
        assert cache.lookup("prompt", "model") is None
        assert cache.memory.keys() == ["llm"]


def test_an_answer_is_forgotten_after_its_seconds(clock: ManualClock) -> None:
    cache = BotWireCache(Memory("cache", store=DictStore(clock=clock)), ttl=60)
    cache.update("prompt", "model", [Generation(text="Paris")])
    clock.advance(59)
    assert cache.lookup("prompt", "model")
    clock.advance(1)
    assert cache.lookup("prompt", "model") is None


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), "60", True])
def test_a_ttl_that_is_none_is_refused_when_it_is_given(ttl: Any) -> None:
    with pytest.raises(InvalidValueError, match="ttl"):
        BotWireCache("cache", ttl=ttl)


NO_ANSWERS: list[Any] = [
    7, "x", [], {}, b"\x80\x04", {"generations": None}, {"generations": {}}, {"generations": []}, {"generations": [7]},
    {"generations": [{}]}, {"generations": [{"type": "Generation"}]}, {"generations": [{"type": [], "text": "x"}]},
    {"generations": [{"type": "Generation", "text": 7}]}, {"generations": [{"type": "PromptTemplate", "text": "x"}]},
    {"generations": [{"type": "Generation", "text": "x", "generation_info": []}]},
    {"generations": [{"type": "ChatGeneration", "text": "x"}]},
    {"generations": [{"type": "ChatGeneration", "message": {"type": "hologram", "data": {"content": "x"}}}]},
    {"generations": [{"type": "ChatGeneration", "message": {"type": "remove", "data": {"id": "m", "content": ""}}}]},
    {"generations": [{"type": "ChatGenerationChunk", "message": {"type": "ai", "data": {"content": "x"}}}]},
    {"generations": [{"type": "Generation", "text": "fine"}, None]},
    {"generations": [{"type": "ChatGeneration", "message": {"type": "ai", "data": {"content": [{"text": {"a": 1}}]}}}]},
]  # fmt: skip


NAMES = st.sampled_from(
    ["type", "text", "generation_info", "message", "data", "content", "id", "tool_calls", "args", "name", "lc"]
)
KINDS = st.sampled_from([None, 7, "Generation", "ChatGeneration", "ChatGenerationChunk", "ai", "AIMessageChunk"])
ANYTHING = st.recursive(KINDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5))
LIKE_AN_ANSWER = st.fixed_dictionaries(
    {"type": KINDS}, optional={"text": ANYTHING, "generation_info": ANYTHING, "message": ANYTHING}
)
LIKE_A_CHAT = st.builds(
    lambda kind, message, data: {"type": kind, "message": {"type": message, "data": data}},
    KINDS, KINDS, st.dictionaries(NAMES, ANYTHING) | st.builds(lambda content: {"content": content}, ANYTHING),
)  # fmt: skip


@given(record=ANYTHING | LIKE_AN_ANSWER | LIKE_A_CHAT)
def test_row_s2_whatever_is_stored_is_read_as_an_answer_or_as_none(record: Any) -> None:
    found = from_generation_record(record)
    if found is not None:
        assert from_generation_record(to_generation_record(found)) == found


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("value", NO_ANSWERS, ids=range(len(NO_ANSWERS)))
def test_a_row_that_is_no_answer_is_a_miss_and_goes(cache: BotWireCache, value: Any, colour: str) -> None:
    cache.update("prompt", "model", [Generation(text="Paris")])
    (key,) = cache.memory.keys()
    cache.memory.set(key, value)
    found = cache.lookup("prompt", "model") if colour == "sync" else asyncio.run(cache.alookup("prompt", "model"))
    assert found is None
    assert cache.memory.keys() == []


def test_a_reader_that_may_not_delete_has_a_miss_all_the_same(cache: BotWireCache) -> None:
    cache.update("prompt", "model", [Generation(text="Paris")])
    (key,) = cache.memory.keys()
    cache.memory.set(key, "no answer")
    past = BotWireCache(cache.memory.at(cache.memory.snapshot()))
    assert past.lookup("prompt", "model") is None
    assert asyncio.run(past.alookup("prompt", "model")) is None
    assert cache.memory.get(key) == "no answer"


class Own(ChatGeneration):
    """A generation class of a user's own."""


def test_a_users_own_class_comes_back_as_the_one_above_it(cache: BotWireCache) -> None:
    cache.update("prompt", "model", [Own(message=AIMessage("Paris"))])
    assert cache.lookup("prompt", "model") == [ChatGeneration(message=AIMessage("Paris"))]


def test_what_json_lacks_is_kept_as_text(cache: BotWireCache) -> None:
    when = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    cache.update("prompt", "model", [Generation(text="x", generation_info={"when": when, "raw": b"\xff"})])
    assert cache.lookup("prompt", "model") == [
        Generation(text="x", generation_info={"when": "2026-01-02T00:00:00Z", "raw": "_w=="})
    ]


@pytest.mark.parametrize(
    "answer",
    [
        [Generation(text="x", generation_info={"logprob": float("-inf")})],
        [Generation(text="x", generation_info={"it": object()})],
        [Generation(text="x" * (MAX_VALUE_BYTES + 1))],
        [ChatGeneration(message=AIMessage("x", response_metadata={"p": float("nan")}))],
        ["x"],
    ],
    ids=["infinity", "object", "too large", "not a number", "no generation"],
)
def test_an_answer_that_cannot_be_kept_is_told_and_the_run_goes_on(cache: BotWireCache, answer: Any) -> None:
    with pytest.warns(CacheWarning, match="an answer was not cached"):
        cache.update("prompt", "model", answer)
    with pytest.warns(CacheWarning, match="an answer was not cached"):
        asyncio.run(cache.aupdate("prompt", "model", answer))
    assert cache.memory.keys() == []


# --- with models ------------------------------------------------------------------------------------------


@pytest.fixture
def everywhere(cache: BotWireCache) -> Iterator[BotWireCache]:
    set_llm_cache(cache)
    yield cache
    set_llm_cache(None)


def test_a_chat_model_is_asked_once(everywhere: BotWireCache) -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage("first"), AIMessage("second")]))
    assert model.invoke("hello").content == "first"
    assert model.invoke("hello").content == "first"
    assert asyncio.run(model.ainvoke("hello")).content == "first"
    assert model.invoke("good day").content == "second"


def test_a_completion_model_is_asked_once(cache: BotWireCache) -> None:
    model = FakeListLLM(responses=["first", "second"], cache=cache)
    assert model.invoke("hello") == "first"
    assert asyncio.run(model.ainvoke("hello")) == "first"
    assert model.invoke("good day") == "second"


def test_another_object_knows_the_answer(cache: BotWireCache, url: str) -> None:
    again = BotWireCache(Memory(cache.memory.namespace, url))
    assert FakeListLLM(responses=["first", "second"], cache=cache).invoke("hello") == "first"
    assert FakeListLLM(responses=["first", "second"], i=1, cache=again).invoke("hello") == "first"


# --- beside the cache that comes with LangChain ----------------------------------------------------------------

DIFFERENCES: dict[str, tuple[Any, Any, Any]] = {
    # an answer: what LangChain's cache gives back, what ours does, and why
    "an empty answer": ([], [], None),  # a model would be taken to have answered, and the run to fail at its first one
    "a tuple": ((Generation(text="x"),), (Generation(text="x"),), [Generation(text="x")]),  # a tuple is never a hit
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_where_it_differs_from_the_cache_that_comes_with_langchain(cache: BotWireCache, difference: str) -> None:
    answer, theirs, ours = DIFFERENCES[difference]
    for one, expected in ((InMemoryCache(), theirs), (cache, ours)):
        one.update("prompt", "model", answer)
        assert one.lookup("prompt", "model") == expected
