"""What a `Memory` is before and after it does anything: making, showing, copying, sending, closing."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest
from core.wrappers import RecordingStore

from botwire_core.errors import (
    BotWireError,
    InvalidNamespaceError,
    InvalidValueError,
    UnknownStoreError,
    UnsupportedError,
)
from botwire_core.memory import Memory
from botwire_core.memory_handle import MemoryHandle
from botwire_core.stores.dict import DictStore

TWINLESS = {"transaction", "author", "namespace", "as_of", "store"}


def public_names() -> list[str]:
    return [name for name in dir(Memory) if not name.startswith("_")]


def test_making_a_memory_touches_nothing(tmp_path: Path) -> None:
    Memory("demo", f"sqlite:///{tmp_path}/absent/folder/memory.db")
    Memory("demo", "https://127.0.0.1:1")
    Memory("demo", "no-such-scheme:")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a b", "ä", "x" * 244, None, 7])
def test_a_bad_namespace_name_is_refused_at_once(name: Any) -> None:
    with pytest.raises(InvalidNamespaceError):
        Memory(name)


@pytest.mark.parametrize(
    "named",
    [
        {"url": "memory:a", "base_url": "memory:b"},
        {"url": "memory:a", "store": DictStore()},
        {"base_url": "memory:a", "store": DictStore()},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": True},
        {"timeout": "30"},
        {"author": ""},
        {"author": "a\nb"},
        {"author": "x" * 244},
        {"author": 7},
    ],
)
def test_arguments_that_make_no_sense_are_refused_at_once(named: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Memory("demo", **named)
    assert caught.value.hint


def test_base_url_is_another_name_for_url() -> None:
    assert Memory("demo", base_url="memory:alias").store is Memory("demo", "memory:alias").store
    assert Memory("demo", "memory:alias", base_url="memory:alias").store is Memory("demo", "memory:alias").store


def test_the_store_is_found_at_the_first_use_and_kept() -> None:
    memory = Memory("demo", "memory:first-use")
    assert memory.store is memory.store
    assert isinstance(memory.store.inner, DictStore)


def test_a_misspelt_method_is_an_attribute_error(memory: Memory) -> None:
    with pytest.raises(AttributeError, match="'Memory' object has no attribute 'gett'"):
        memory.gett("k")  # type: ignore[attr-defined]
    assert not hasattr(Memory("demo"), "__len__")


def test_a_url_that_nothing_opens_is_told_at_the_first_use() -> None:
    memory = Memory("demo", "no-such-scheme:")
    with pytest.raises(UnknownStoreError):
        memory.get("k")


def test_a_memory_is_true_also_when_it_is_empty(memory: Memory) -> None:
    assert memory
    assert not hasattr(memory, "__len__")


def test_a_key_can_be_in_a_memory(memory: Memory) -> None:
    memory.set("null", None)
    assert "null" in memory
    assert "other" not in memory
    with pytest.raises(BotWireError):
        7 in memory  # noqa: B015


@pytest.mark.parametrize(
    ("memory", "shown"),
    [
        (Memory("demo"), "Memory('demo')"),
        (Memory("demo", "sqlite:///a.db"), "Memory('demo', 'sqlite:///a.db')"),
        (Memory("demo", "sqlite:///a.db?durability=normal"), "Memory('demo', 'sqlite:///a.db?...')"),
        (Memory("demo", "postgresql://ada:pa@ss@host/db"), "Memory('demo', 'postgresql://***@host/db')"),
        (Memory("demo", "https://host/x?token=s3cret#s3cret"), "Memory('demo', 'https://host/x?...')"),
        (Memory("demo", "https://host", token="s3cret", author="ada"), "Memory('demo', 'https://host', author='ada')"),
        (Memory("demo", store=DictStore()), "Memory('demo', store=DictStore)"),
    ],
)
def test_a_memory_shows_where_it_is_and_no_secret(memory: Memory, shown: str) -> None:
    assert repr(memory) == shown
    assert "s3cret" not in f"{memory!r} {memory} {vars(type(memory))}"


def test_a_memory_of_the_past_shows_its_revision(memory: Memory) -> None:
    memory.set("k", 1)
    assert repr(memory.at(1)) == "Memory('demo', store=RecordingStore, at=1)"


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_is_a_handle_on_the_same_memory(memory: Memory, make: Any) -> None:
    memory.set("k", 1)
    past = memory.at(1)
    memory.set("k", 2)
    assert make(memory).get("k") == 2
    make(memory).set("k", 3)
    assert memory.get("k") == 3
    assert make(past).get("k") == 1
    assert make(memory).store is memory.store
    named = Memory("demo", store=memory.store, author="ada")
    assert make(named).author == "ada"


def test_a_memory_made_from_a_url_can_be_sent(tmp_path: Path) -> None:
    memory = Memory("demo", "memory:sent", 5.0, token="t0ken", author="ada")
    memory.set("k", 1)
    past = memory.at(1)
    memory.set("k", 2)
    sent, sent_past = pickle.loads(pickle.dumps((memory, past)))
    assert sent.get("k") == 2
    assert sent_past.get("k") == 1
    assert sent.author == "ada"
    assert sent.store is memory.store


def test_a_memory_made_from_a_store_says_why_it_cannot_be_sent(memory: Memory) -> None:
    with pytest.raises(UnsupportedError, match="URL"):
        pickle.dumps(memory)


def test_with_leaves_a_store_open_that_was_passed_in(store: RecordingStore) -> None:
    with Memory("demo", store=store) as memory:
        memory.set("k", 1)
    assert store.closed == 0
    memory.close()
    assert store.closed == 1


async def test_async_with_leaves_a_store_open_that_was_passed_in(store: RecordingStore) -> None:
    async with Memory("demo", store=store) as memory:
        await memory.aset("k", 1)
    assert store.closed == 0
    await memory.aclose()
    assert store.closed == 1


async def test_closing_a_memory_that_was_never_used_is_nothing() -> None:
    Memory("demo", "no-such-scheme:").close()
    await Memory("demo", "no-such-scheme:").aclose()
    with Memory("demo", "no-such-scheme:"):
        pass
    async with Memory("demo", "no-such-scheme:"):
        pass


def test_every_method_has_an_async_twin_with_the_same_arguments() -> None:
    names = public_names()
    assert len(names) > 60
    for name in names:
        if name in TWINLESS or (name.startswith("a") and name[1:] in names):
            continue
        method, twin = getattr(Memory, name), getattr(Memory, "a" + name)
        own = inspect.signature(method).parameters
        assert list(own.values()) == list(inspect.signature(twin).parameters.values()), name
        assert inspect.getdoc(twin).startswith(f"Async twin of `{name}`"), name
        assert inspect.iscoroutinefunction(twin) or name in {"entries", "watch"}, name
        assert inspect.getdoc(method), name


def test_a_handle_keeps_no_more_than_it_must() -> None:
    assert not hasattr(Memory("demo"), "__dict__")
    assert MemoryHandle in Memory.__mro__


def test_one_memory_serves_many_event_loops(memory: Memory) -> None:
    async def add() -> None:
        await asyncio.gather(*(memory.aincrement("n") for _ in range(10)))

    for _ in range(3):
        asyncio.run(add())
    assert memory.get("n") == 30
