"""Forks and the past through `Memory`; what the ops mean is proven by the contract tests of the stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from core.wrappers import Call, RecordingStore

from botwire_core.errors import ConflictError, InvalidNamespaceError, InvalidValueError
from botwire_core.memory import Memory
from botwire_core.results import Retention, Revision
from botwire_core.stores.dict import DictStore
from botwire_core.testing.clock import ManualClock


async def test_a_fork_is_a_memory_on_the_same_store_by_the_same_author(store: RecordingStore, call: Call) -> None:
    memory = Memory("demo", store=store, author="ada")
    await call(memory, "set", "k", 1)
    fork = await call(memory, "fork", "variant")
    assert isinstance(fork, Memory)
    assert (fork.namespace, fork.author, fork.store.inner, fork.as_of) == ("variant", "ada", store, None)
    await call(fork, "set", "k", 2)
    assert (await call(memory, "get", "k"), await call(fork, "get", "k")) == (1, 2)
    with pytest.raises(ConflictError):
        await call(memory, "fork", "variant")
    with pytest.raises(InvalidNamespaceError):
        await call(memory, "fork", "a/b")


async def test_a_fork_can_start_at_any_moment(memory: Memory, call: Call, clock: ManualClock) -> None:
    await call(memory, "set", "k", 1)
    moment = datetime.fromtimestamp(clock(), timezone(timedelta(hours=5)))
    snapshot = await call(memory, "snapshot", "before")
    clock.advance(10)
    await call(memory, "set", "k", 2)
    moments: list[Any] = [1, "before", snapshot, moment]
    for number, at in enumerate(moments):
        assert await call(await call(memory, "fork", f"fork{number}", at=at), "get", "k") == 1
        assert await call(await call(memory, "at", at), "get", "k") == 1
    past = await call(memory, "at", 1)
    assert await call(await call(past, "fork", "of-the-past"), "get", "k") == 1
    assert await call(await call(past, "fork", "of-now", at=2), "get", "k") == 2


async def test_a_fork_expires_whole(memory: Memory, call: Call, clock: ManualClock) -> None:
    await call(memory, "set", "k", 1)
    fork = await call(memory, "fork", "short", ttl=60)
    clock.advance(60)
    assert await call(fork, "list_keys") == []
    assert await call(memory, "get", "k") == 1


async def test_a_moment_that_is_none_is_refused(store: RecordingStore, memory: Memory, call: Call) -> None:
    await call(memory, "set", "k", 1)
    store.ops.clear()
    naive = datetime(2026, 1, 1)
    for moment in (naive, -1, True, 1.0, None, "", "a\nb", b"label"):
        with pytest.raises(InvalidValueError) as caught:
            await call(memory, "at", moment)
        assert caught.value.hint
    with pytest.raises(InvalidValueError, match="time zone"):
        await call(memory, "fork", "f", at=naive)
    assert store.ops == []
    for moment in (99, "unknown"):
        with pytest.raises(InvalidValueError):
            await call(memory, "at", moment)


async def test_the_past_is_looked_up_once(store: RecordingStore, memory: Memory, call: Call) -> None:
    await call(memory, "set", "k", 1)
    await call(memory, "snapshot", "s")
    past = await call(memory, "at", "s")
    await call(memory, "delete_snapshot", "s")
    assert past.as_of == 1
    assert await call(past, "get", "k") == 1


async def test_snapshots_can_be_listed_and_let_go_of(memory: Memory, call: Call, clock: ManualClock) -> None:
    await call(memory, "set", "k", 1)
    one = await call(memory, "snapshot")
    await call(memory, "set", "k", 2)
    two = await call(memory, "snapshot", "two", ttl=60)
    assert (one.number, one.label, two.number, two.label) == (1, "r1", 2, "two")
    assert await call(memory, "snapshots") == [one, two]
    with pytest.raises(ConflictError):
        await call(memory, "snapshot", "two")
    clock.advance(60)
    assert await call(memory, "snapshots") == [one]
    assert await call(memory, "delete_snapshot", "r1") is True
    assert await call(memory, "delete_snapshot", "r1") is False
    with pytest.raises(InvalidValueError):
        await call(memory, "snapshot", "a\nb")


async def test_history_and_restore(store: RecordingStore, call: Call) -> None:
    memory = Memory("demo", store=store, author="ada")
    await call(memory, "set", "k", "one")
    await call(memory, "delete", "k")
    await call(memory, "set", "k", "three")
    history = await call(memory, "history", "k")
    assert [(entry.version, entry.value, entry.deleted) for entry in history] == [
        (3, "three", False),
        (2, None, True),
        (1, "one", False),
    ]
    assert len(await call(memory, "history", "k", limit=1)) == 1
    assert await call(memory, "restore", "k", 1) == 4
    assert (await call(memory, "entry", "k")).author == "ada"
    assert await call(memory, "get", "k") == "one"
    with pytest.raises(InvalidValueError, match="history"):
        await call(memory, "restore", "k", 0)


async def test_a_diff_is_what_it_takes_to_get_to_the_other(memory: Memory, call: Call) -> None:
    await call(memory, "set_many", {"same": 0, "gone": 1, "changed": 2})
    fork = await call(memory, "fork", "variant")
    await call(fork, "delete", "gone")
    await call(fork, "set_many", {"changed": 3, "new": 4, "x/new": 5})
    for other in (fork, "variant"):
        diff = await call(memory, "diff", other)
        assert (diff.added, diff.removed) == ({"new": 4, "x/new": 5}, {"gone": 1})
        assert [(one.key, one.before, one.after) for one in diff.changed] == [("changed", 2, 3)]
        assert (await call(memory, "diff", other, prefix="x/")).keys == ["x/new"]
    assert not await call(memory, "diff", memory)


async def test_a_diff_compares_two_moments(memory: Memory, call: Call) -> None:
    await call(memory, "set", "k", 1)
    await call(memory, "set", "k", 2)
    then = await call(memory, "at", 1)
    assert [(one.before, one.after) for one in (await call(then, "diff", memory)).changed] == [(1, 2)]
    assert [(one.before, one.after) for one in (await call(memory, "diff", then)).changed] == [(2, 1)]


async def test_a_merge_brings_over_what_the_fork_changed(store: RecordingStore, call: Call) -> None:
    memory = Memory("demo", store=store, author="ada")
    await call(memory, "set_many", {"a": 1, "b": 1})
    fork = await call(memory, "fork", "variant")
    await call(fork, "set_many", {"a": 2, "b": 2})
    dry = await call(memory, "merge", fork, dry_run=True)
    assert (dry.applied, dry.written) == (False, ["a", "b"])
    assert await call(memory, "get", "a") == 1
    assert (await call(memory, "merge", fork, keys="a")).written == ["a"]
    assert await call(memory, "get_many", ["a", "b"]) == {"a": 2, "b": 1}
    await call(memory, "set", "b", 3)
    assert [one.key for one in (await call(memory, "merge", "variant")).conflicts] == ["b"]
    assert (await call(memory, "merge", fork, strategy="theirs")).applied
    assert await call(memory, "get", "b") == 2


async def test_a_merge_can_take_a_moment_of_the_other_side(memory: Memory, call: Call) -> None:
    await call(memory, "set", "a", 1)
    fork = await call(memory, "fork", "variant")
    await call(fork, "set", "a", 2)
    await call(fork, "set", "a", 3)
    await call(memory, "merge", await call(fork, "at", 2))
    assert await call(memory, "get", "a") == 2


async def test_two_stores_cannot_be_compared_and_the_way_out_is_told(
    store: RecordingStore, memory: Memory, call: Call
) -> None:
    elsewhere = Memory("demo", store=DictStore())
    store.ops.clear()
    for name in ("diff", "merge"):
        with pytest.raises(InvalidValueError, match="export") as caught:
            await call(memory, name, elsewhere)
        assert "another store" in caught.value.message
    assert store.ops == []


async def test_a_strategy_that_is_unknown_is_refused(store: RecordingStore, memory: Memory, call: Call) -> None:
    with pytest.raises(InvalidValueError, match="strategy"):
        await call(memory, "merge", "other", strategy="mine")
    with pytest.raises(InvalidNamespaceError):
        await call(memory, "merge", 7)
    assert store.ops == []


async def test_purge_erases_here_and_in_forks(memory: Memory, call: Call) -> None:
    await call(memory, "set_many", {"user:7": 1, "user:7/name": 2, "user:77": 3})
    fork = await call(memory, "fork", "variant")
    result = await call(memory, "purge", "user:7")
    assert (result.keys, result.namespaces) == (["user:7", "user:7/name"], ["demo", "variant"])
    assert await call(fork, "list_keys") == ["user:77"]
    assert await call(memory, "history", "user:7") == []


async def test_retention_can_be_asked_and_set(memory: Memory, call: Call) -> None:
    await call(memory, "set", "k", 1)
    assert await call(memory, "retention") == Retention()
    await call(memory, "set_retention", Retention(versions=3))
    assert (await call(memory, "retention")).versions == 3


async def test_a_revision_stands_for_its_number(memory: Memory, call: Call) -> None:
    await call(memory, "set", "k", 1)
    assert (await call(memory, "at", Revision(1))).as_of == 1
    assert (await call(memory, "at", datetime.now(UTC) + timedelta(days=999_999))).as_of == 1
