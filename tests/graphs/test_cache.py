"""`BotWireNodeCache`: values of nodes by namespace and key, with an expiry, in both colours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage
from langgraph.cache.memory import InMemoryCache
from langgraph.graph import START, StateGraph
from langgraph.types import CachePolicy

from botwire import Memory
from botwire_core.store import Limits
from botwire_core.stores.dict import DictStore
from botwire_core.testing import ManualClock
from botwire_langgraph.cache import BotWireNodeCache

NAMESPACES: list[tuple[str, ...]] = [
    (), ("",), ("", ""), ("a",), ("a", "b"), ("a,b",), ("a,", "b"), ("a/b",), ("a", "b", "c"), ("%2C",), (",",),
    ("é" * 400,),
]  # fmt: skip


@pytest.fixture(params=["ours, sync", "ours, async", "LangGraph's"])
def do(request: pytest.FixtureRequest, memory: Memory) -> Callable[..., Any]:
    """Calls a method of a cache; LangGraph's own, so that nothing is asked for that is only ours."""
    ours = BotWireNodeCache[Any](memory)
    theirs = InMemoryCache[Any]()

    def call(name: str, *args: Any) -> Any:
        if request.param == "ours, async":
            return asyncio.run(getattr(ours, f"a{name}")(*args))
        return getattr(theirs if request.param == "LangGraph's" else ours, name)(*args)

    return call


def test_what_was_set_is_got_under_the_keys_that_were_asked(do: Callable[..., Any]) -> None:
    keys = [(namespace, key) for namespace in NAMESPACES for key in ("k", "a/b", "x" * 2000)]
    values = {key: (f"value of {key}", None) for key in keys}
    do("set", values)
    assert do("get", list(values)) == {key: value for key, (value, _) in values.items()}
    assert do("get", [(("nowhere",), "k")]) == {}
    assert do("get", []) == {}


@pytest.mark.parametrize("namespace", NAMESPACES, ids=range(len(NAMESPACES)))
def test_clearing_reaches_exactly_one_namespace(do: Callable[..., Any], namespace: tuple[str, ...]) -> None:
    keys: list[Any] = [(one, "k") for one in NAMESPACES]
    do("set", dict.fromkeys(keys, (1, 60)))
    do("clear", [namespace, ("nowhere",)])
    assert do("get", keys) == {key: 1 for key in keys if key[0] != namespace}
    do("clear")
    assert do("get", keys) == {}


@pytest.mark.parametrize("value", [None, 0, "", [], {"a": [1.5, None]}, b"\xff\n", [AIMessage("x")], (1, 2), 2**40])
def test_a_value_comes_back_as_it_was(do: Callable[..., Any], value: Any) -> None:
    do("set", {(("n",), "k"): (value, None)})
    found = do("get", [(("n",), "k")])
    assert found == {(("n",), "k"): [1, 2] if value == (1, 2) else value}


def test_values_expire_in_seconds(clock: ManualClock) -> None:
    cache = BotWireNodeCache[Any](Memory("cached", store=DictStore(clock=clock)))
    keys: list[Any] = [(("n",), key) for key in ("short", "long", "forever")]
    cache.set(dict(zip(keys, [(1, 10), (2, 20), (3, None)], strict=True)))
    clock.advance(10)
    assert list(cache.get(keys).values()) == [2, 3]
    cache.set({keys[2]: (4, 0)})
    assert list(cache.get(keys).values()) == [2]


def test_what_cannot_be_read_or_kept_is_a_miss() -> None:
    store = DictStore()
    store.limits = Limits(value_bytes=1000)
    memory = Memory("cached", store=store)
    cache = BotWireNodeCache[Any](memory)
    keys: list[Any] = [(("n",), key) for key in ("fine", "broken", "long")]
    cache.set({keys[0]: (1, None), keys[1]: (AIMessage("x"), None), keys[2]: ("x" * 2000, None)})
    memory.set("cache/n,/broken", b'{"type":"pickle"}\ncos\nsystem\n')
    assert cache.get(keys) == {keys[0]: 1}


def test_memory_shows_what_a_node_gave(memory: Memory) -> None:
    BotWireNodeCache[Any](memory).set({(("graph", "node"), "k/1"): ({"answer": 42}, None)})
    found = memory.get("cache/graph,node,/k%2F1")
    assert found == {"namespace": ["graph", "node"], "key": "k/1", "value": {"answer": 42}}


class Asked(TypedDict):
    question: str
    answer: str


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_node_runs_once_for_one_input_also_in_another_process(memory: Memory, colour: str) -> None:
    ran = []

    def think(state: Asked) -> dict[str, str]:
        ran.append(state["question"])
        return {"answer": state["question"].upper()}

    def ask(question: str) -> Any:
        graph: Any = StateGraph(Asked)
        graph.add_node("think", think, cache_policy=CachePolicy(ttl=60))
        graph.add_edge(START, "think")
        compiled = graph.compile(cache=BotWireNodeCache(memory))
        given = {"question": question}
        found = compiled.invoke(given) if colour == "sync" else asyncio.run(compiled.ainvoke(given))
        return found["answer"]

    assert [ask("why?"), ask("why?"), ask("when?")] == ["WHY?", "WHY?", "WHEN?"]
    assert ran == ["why?", "when?"]
    BotWireNodeCache(memory).clear()
    assert ask("why?") == "WHY?"
    assert ran == ["why?", "when?", "why?"]
