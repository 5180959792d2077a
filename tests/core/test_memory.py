"""`Memory` in the present: entries, logs, counters, search."""

from __future__ import annotations

from typing import Any

import pytest
from core.wrappers import Call, RecordingStore

from botwire_core.errors import (
    ConflictError,
    InvalidKeyError,
    InvalidValueError,
    StoreReadOnlyError,
    TooLargeError,
    UnsupportedError,
)
from botwire_core.memory import Memory
from botwire_core.protocol import ListEntries, ListKeys
from botwire_core.results import Retention
from botwire_core.stores.dict import DictStore
from botwire_core.testing.clock import ManualClock


async def test_what_is_set_can_be_got_by_whoever_opens_the_same_name(memory: Memory, call: Call) -> None:
    assert await call(memory, "set", "k", {"a": [1, None]}) == 1
    assert await call(memory, "set", "k", {"a": [2, None]}) == 2
    assert await call(Memory("demo", store=memory.store), "get", "k") == {"a": [2, None]}
    assert await call(Memory("other", store=memory.store), "get", "k") is None


async def test_absence_gives_the_default_and_a_stored_null_does_not(memory: Memory, call: Call) -> None:
    await call(memory, "set", "null", None)
    assert await call(memory, "get", "null", "default") is None
    assert await call(memory, "get", "absent", "default") == "default"
    assert await call(memory, "get", "absent") is None


async def test_a_value_that_was_got_can_be_changed_without_harm(memory: Memory, call: Call) -> None:
    await call(memory, "set", "k", [1])
    (await call(memory, "get", "k")).append(2)
    assert await call(memory, "get", "k") == [1]


async def test_a_write_on_condition_tells_what_stands_there_instead(memory: Memory, call: Call) -> None:
    await call(memory, "set", "k", 1, if_version=0)
    with pytest.raises(ConflictError) as caught:
        await call(memory, "set", "k", 2, if_version=0)
    assert caught.value.version == 1
    with pytest.raises(ConflictError):
        await call(memory, "delete", "k", if_version=7)
    assert await call(memory, "delete", "k", if_version=1) is True
    assert await call(memory, "exists", "k") is False


async def test_an_entry_tells_who_wrote_it(store: RecordingStore, call: Call, clock: ManualClock) -> None:
    memory = Memory("demo", store=store, author="ada")
    await call(memory, "set", "k", 1, ttl=60)
    entry = await call(memory, "entry", "k")
    assert (entry.author, entry.version, entry.value) == ("ada", 1, 1)
    assert entry.expires_at.timestamp() == clock() + 60
    assert await call(memory, "entry", "absent") is None


async def test_the_many_calls_take_one_op_each(store: RecordingStore, memory: Memory, call: Call) -> None:
    assert await call(memory, "set_many", {"b": 2, "a": 1}) == {"b": 1, "a": 1}
    assert list((await call(memory, "get_many", ["b", "x", "a"])).items()) == [("b", 2), ("a", 1)]
    assert await call(memory, "delete_many", iter(["a", "x"])) == 1
    assert len(store.ops) == 3


async def test_logs_counters_and_expiry_work(memory: Memory, call: Call, clock: ManualClock) -> None:
    keys = await call(memory, "append", "chat", "one", "two")
    keys += await call(memory, "append", "chat", "three", ttl=60)
    assert keys == [f"chat/{number:019d}" for number in range(3)]
    assert await call(memory, "read", "chat") == ["one", "two", "three"]
    assert await call(memory, "read", "chat", last=2) == ["two", "three"]
    clock.advance(60)
    assert await call(memory, "read", "chat") == ["one", "two"]
    assert await call(memory, "increment", "n") == 1
    assert await call(memory, "increment", "n", 0.5) == 1.5
    assert await call(memory, "expire", "n", 60) is True
    assert await call(memory, "expire", "absent", 60) is False
    clock.advance(60)
    assert await call(memory, "get", "n") is None


async def test_clearing_takes_a_prefix_and_dropping_takes_all(memory: Memory, call: Call) -> None:
    await call(memory, "set_many", {"tmp/a": 1, "tmp/b": 2, "kept": 3})
    assert await call(memory, "clear", "tmp/") == 2
    assert await call(memory, "keys") == ["kept"]
    assert await call(memory, "stats") == await call(memory, "stats")
    assert (await call(memory, "stats")).keys == 1
    assert await call(memory, "drop") is True
    assert await call(memory, "drop") is False
    assert await call(memory, "list_keys") == []


async def test_search_filters_and_ranks(memory: Memory, call: Call) -> None:
    await call(memory, "set_many", {"a": {"kind": "fact", "text": "likes tea"}, "b": {"kind": "task", "text": "tea"}})
    found = await call(memory, "search", where={"kind": "fact"}, words="tea")
    assert [entry.key for entry in found] == ["a"]
    assert await call(memory, "search", "b", where={"kind": "fact"}) == []
    assert len(await call(memory, "search", limit=1, offset=1)) == 1


@pytest.mark.parametrize(
    "named", [{"words": ["tea"]}, {"limit": None}, {"limit": -1}, {"limit": True}, {"offset": 1.5}, {"offset": None}]
)
async def test_a_search_that_makes_no_sense_is_refused_before_the_store(
    store: RecordingStore, memory: Memory, call: Call, named: dict[str, Any]
) -> None:
    with pytest.raises(InvalidValueError):
        await call(memory, "search", **named)
    assert store.ops == []


# --- what is refused, before any store ------------------------------------------------------------


@pytest.mark.parametrize(
    "ttl",
    [0, -1, 0.0, float("nan"), float("inf"), True, "60", 10 * 366 * 86400 + 1, 10**400, [60]],
    ids=lambda x: str(x)[:9],
)
async def test_a_ttl_that_is_no_time_is_refused_before_the_store(
    store: RecordingStore, memory: Memory, call: Call, ttl: Any
) -> None:
    for name, args, named in (
        ("set", ("k", 1), {"ttl": ttl}),
        ("set_many", ({"k": 1},), {"ttl": ttl}),
        ("append", ("log", 1), {"ttl": ttl}),
        ("expire", ("k", ttl), {}),
        ("fork", ("f",), {"ttl": ttl}),
        ("snapshot", (), {"ttl": ttl}),
    ):
        with pytest.raises(InvalidValueError, match="ttl"):
            await call(memory, name, *args, **named)
    assert store.ops == []


@pytest.mark.parametrize("key", ["", "x" * 1025, "a\0b", "\ud800", 7, None, b"k"], ids=ascii)
async def test_a_key_that_is_none_is_refused(memory: Memory, call: Call, key: Any) -> None:
    for name, args in (
        ("set", (key, 1)),
        ("get", (key,)),
        ("delete", (key,)),
        ("exists", (key,)),
        ("entry", (key,)),
        ("set_many", ({key: 1},)),
        ("get_many", ([key],)),
        ("delete_many", ([key],)),
        ("append", (key, 1)),
        ("read", (key,)),
        ("increment", (key,)),
        ("expire", (key, 60)),
        ("ttl", (key,)),
        ("history", (key,)),
        ("restore", (key, 1)),
        ("purge", (key,)),
    ):
        with pytest.raises(InvalidKeyError):
            await call(memory, name, *args)


async def test_a_value_that_cannot_be_kept_is_refused_before_the_store(
    store: RecordingStore, memory: Memory, call: Call
) -> None:
    with pytest.raises(InvalidValueError, match=r'value\["items"\]\[1\]: NaN is not JSON'):
        await call(memory, "set", "k", {"items": [1, float("nan")]})
    with pytest.raises(InvalidValueError, match=r"'b': value\[0\]: a set is not JSON") as caught:
        await call(memory, "set_many", {"a": 1, "b": [{1}]})
    assert "list()" in caught.value.hint
    with pytest.raises(InvalidValueError, match="value 2: value: a tuple is not JSON"):
        await call(memory, "append", "log", 1, (2,))
    with pytest.raises(TooLargeError, match="'b': "):
        await call(memory, "set_many", {"a": 1, "b": "x" * 2**24})
    assert store.ops == []


@pytest.mark.parametrize("version", [-1, True, 1.0, "1"])
async def test_a_version_that_is_none_is_refused_before_the_store(
    store: RecordingStore, memory: Memory, call: Call, version: Any
) -> None:
    for name, args, named in (
        ("set", ("k", 1), {"if_version": version}),
        ("delete", ("k",), {"if_version": version}),
        ("restore", ("k", version), {}),
    ):
        with pytest.raises(InvalidValueError):
            await call(memory, name, *args, **named)
    assert store.ops == []


@pytest.mark.parametrize("by", [True, "1", None, float("nan"), float("-inf"), [1]])
async def test_an_increment_by_no_number_is_refused_before_the_store(
    store: RecordingStore, memory: Memory, call: Call, by: Any
) -> None:
    with pytest.raises(InvalidValueError, match="by"):
        await call(memory, "increment", "n", by)
    assert store.ops == []


async def test_one_text_is_not_taken_for_many_keys(memory: Memory, call: Call) -> None:
    with pytest.raises(InvalidKeyError, match="many keys"):
        await call(memory, "get_many", "abc")
    with pytest.raises(InvalidKeyError, match="many keys"):
        await call(memory, "delete_many", b"abc")
    with pytest.raises(InvalidValueError, match="mapping"):
        await call(memory, "set_many", [("a", 1)])


# --- listings of any length -------------------------------------------------------------------------


async def test_all_keys_come_however_many_they_are_and_in_bounded_ops(
    store: RecordingStore, memory: Memory, call: Call
) -> None:
    wanted = sorted(f"key/{number}" for number in range(10_500))
    memory.set_many(dict.fromkeys(wanted, 0) | {"other": 1})
    store.ops.clear()
    assert await call(memory, "list_keys", "key/") == wanted
    assert [(type(op), op.limit) for op in store.ops] == [(ListKeys, 10_000)] * 2
    assert await call(memory, "list_keys", "key/", after=wanted[4], limit=3) == wanted[5:8]
    assert await call(memory, "keys", limit=0) == []


async def test_exactly_a_page_of_keys_is_all_of_them(store: RecordingStore, memory: Memory, call: Call) -> None:
    memory.set_many({f"{number:05d}": 0 for number in range(10_000)})
    assert len(await call(memory, "list_keys")) == 10_000
    store.ops.clear()
    assert len(await call(memory, "list_keys", limit=10_000)) == 10_000
    assert len(store.ops) == 1


async def test_all_entries_come_in_order_and_in_bounded_ops(store: RecordingStore, memory: Memory, call: Call) -> None:
    wanted = sorted(f"key/{number}" for number in range(2_100))
    memory.set_many(dict.fromkeys(wanted, 0) | {"other": 1})
    store.ops.clear()
    assert [entry.key for entry in await call(memory, "entries", "key/")] == wanted
    assert [(type(op), op.limit) for op in store.ops] == [(ListEntries, 1000)] * 3
    assert [entry.key for entry in await call(memory, "entries", "key/", reverse=True)] == wanted[::-1]
    assert [entry.key for entry in await call(memory, "entries", limit=1100)] == wanted[:1100]
    below = await call(memory, "entries", after=wanted[1500], limit=1200, reverse=True)
    assert [entry.key for entry in below] == wanted[300:1500][::-1]
    assert await call(memory, "entries", limit=0) == []


def test_entries_are_fetched_as_they_are_needed(store: RecordingStore, memory: Memory) -> None:
    memory.set_many({f"{number:04d}": 0 for number in range(1500)})
    store.ops.clear()
    entries = memory.entries()
    assert store.ops == []
    assert next(entries).key == "0000"
    assert len(store.ops) == 1


def test_entries_may_be_deleted_while_they_are_iterated(memory: Memory) -> None:
    memory.set_many({f"{number:04d}": 0 for number in range(1500)})
    for entry in memory.entries():
        memory.delete(entry.key)
    assert memory.list_keys() == []


@pytest.mark.parametrize("named", [{"limit": -1}, {"limit": 1.0}, {"after": 7}, {"after": "\0"}, {"prefix": None}])
def test_a_listing_that_makes_no_sense_is_refused_at_the_call(
    store: RecordingStore, memory: Memory, named: dict[str, Any]
) -> None:
    for method in (memory.list_keys, memory.entries, memory.aentries):
        with pytest.raises((InvalidKeyError, InvalidValueError)):
            method(**named)  # type: ignore[operator]
    assert store.ops == []


# --- the past -----------------------------------------------------------------------------------------


@pytest.fixture
def past(memory: Memory) -> Memory:
    memory.set("k", "then")
    memory.append("log", "then")
    past = memory.at(2)
    memory.set("k", "now")
    memory.append("log", "now")
    memory.set("new", 1)
    return past


async def test_every_read_of_the_past_sees_the_past(past: Memory, call: Call) -> None:
    row = "log/0000000000000000000"
    assert await call(past, "get", "k") == "then"
    assert await call(past, "get_many", ["k", "new"]) == {"k": "then"}
    assert await call(past, "exists", "new") is False
    assert "new" not in past
    assert (await call(past, "entry", "k")).version == 1
    assert await call(past, "list_keys") == ["k", row]
    assert [entry.value for entry in await call(past, "entries")] == ["then", "then"]
    assert await call(past, "read", "log") == ["then"]
    assert [entry.key for entry in await call(past, "search", words="then")] == ["k", row]
    assert await call(past, "ttl", "k") is None
    assert [entry.value for entry in await call(past, "history", "k")] == ["then"]


async def test_every_write_to_the_past_is_refused_before_the_store(
    store: RecordingStore, past: Memory, call: Call, tmp_path: Any
) -> None:
    (tmp_path / "file").write_bytes(b"")
    store.ops.clear()
    for name, args in (
        ("set", ("k", 1)),
        ("delete", ("k",)),
        ("set_many", ({"k": 1},)),
        ("delete_many", (["k"],)),
        ("append", ("log", 1)),
        ("increment", ("n",)),
        ("expire", ("k", 60)),
        ("clear", ()),
        ("drop", ()),
        ("snapshot", ()),
        ("delete_snapshot", ("x",)),
        ("restore", ("k", 1)),
        ("merge", ("other",)),
        ("purge", ("k",)),
        ("set_retention", (Retention(),)),
        ("import_", (tmp_path / "file",)),
    ):
        with pytest.raises(StoreReadOnlyError, match="fork"):
            await call(past, name, *args)
    with pytest.raises(StoreReadOnlyError), past.transaction():
        raise AssertionError("the block must not begin")
    assert store.ops == []


async def test_what_only_the_present_can_tell_is_refused_with_a_way_out(past: Memory, call: Call) -> None:
    with pytest.raises(UnsupportedError, match=r"at\(\)"):
        await call(past, "stats")
    with pytest.raises(UnsupportedError, match=r"watch\(since=2\)"):
        await call(past, "watch")


def test_a_memory_works_the_same_from_a_url() -> None:
    memory = Memory("demo", "memory:works-the-same")
    memory.set("k", 1)
    assert Memory("demo", "memory:works-the-same").get("k") == 1
    assert Memory("demo", "memory:another").get("k") is None
    assert isinstance(memory.store.inner, DictStore)
