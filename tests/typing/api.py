"""What a user writes, as a type checker sees it: run by `test_typing.py` under `mypy --strict`, never imported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, assert_type

from pydantic import BaseModel

from botwire import Memory
from botwire_core.results import Change, Diff, Entry, MergeResult, PurgeResult, Revision, Stats
from botwire_core.transaction import Transaction


class Profile(BaseModel):
    name: str


@dataclass
class Point:
    x: int


def reads(memory: Memory) -> None:
    assert_type(memory.get("k"), Any)
    assert_type(memory.get("k", 0), Any)
    assert_type(memory.get("k", as_=Profile), Profile | None)
    assert_type(memory.get("k", None, as_=Point), Point | None)
    assert_type(memory.get("k", Profile(name="nobody"), as_=Profile), Profile)
    assert_type(memory.get("k", "nobody", as_=Profile), Profile | str)
    assert_type(memory.get("k", as_=list[Profile]), list[Profile] | None)
    assert_type(memory.get("k", as_=dict[str, int]), dict[str, int] | None)
    assert_type(memory.get("k", [], as_=list[Profile]), list[Profile])
    assert_type(memory.get("k", as_=int), int | None)
    assert_type(memory.exists("k"), bool)
    assert_type("k" in memory, bool)
    assert_type(memory.entry("k"), Entry | None)
    assert_type(memory.list_keys("user:", after="user:a", limit=10), list[str])
    assert_type(memory.keys(), list[str])
    assert_type(memory.entries(reverse=True), Iterator[Entry])
    assert_type(memory.get_many(["a", "b"]), dict[str, Any])
    assert_type(memory.read("chat", last=10), list[Any])
    assert_type(memory.ttl("k"), float | None)
    assert_type(memory.search(where={"kind": "fact"}, words="tea"), list[Entry])
    assert_type(memory.stats(), Stats)


def writes(memory: Memory) -> None:
    assert_type(memory.set("k", {"any": ["json", 1, None]}, ttl=3600), int)
    assert_type(memory.set("k", Profile(name="Ada"), if_version=0), int)
    assert_type(memory.delete("k", if_version=1), bool)
    assert_type(memory.set_many({"a": 1, "b": "two"}), dict[str, int])
    assert_type(memory.delete_many({"a": 1}), int)
    assert_type(memory.append("chat", {"role": "user"}, {"role": "assistant"}), list[str])
    assert_type(memory.increment("n", 0.5), int | float)
    assert_type(memory.expire("k", None), bool)
    assert_type(memory.clear(), int)
    assert_type(memory.drop(), bool)
    with memory.transaction() as tx:
        assert_type(tx, Transaction)
        assert_type(tx.set("k", 1), int)
        assert_type(tx.check("k", 1), int)
    assert_type(tx.results, list[Any])


def the_past(memory: Memory) -> None:
    assert_type(memory.fork("variant", at="before", ttl=60), Memory)
    assert_type(memory.at(7).get("k", as_=Profile), Profile | None)
    assert_type(memory.snapshot("before"), Revision)
    assert_type(memory.snapshots(), list[Revision])
    assert_type(memory.history("k"), list[Entry])
    assert_type(memory.restore("k", 1), int)
    assert_type(memory.diff("variant"), Diff)
    assert_type(memory.merge(memory.fork("x"), strategy="ours"), MergeResult)
    assert_type(memory.purge("user:7"), PurgeResult)
    assert_type(memory.watch(since=0), Iterator[Change])
    assert_type(memory.export("memory.jsonl", progress=print), int)
    assert_type(memory.import_("memory.jsonl"), int)


async def under_async() -> None:
    async with Memory("demo", "memory:", author="ada") as memory:
        assert_type(memory, Memory)
        assert_type(await memory.aget("k"), Any)
        assert_type(await memory.aget("k", as_=Profile), Profile | None)
        assert_type(await memory.aget("k", [], as_=list[Profile]), list[Profile])
        assert_type(await memory.aset("k", 1), int)
        assert_type(memory.aentries(), AsyncIterator[Entry])
        async for entry in memory.aentries("user:"):
            assert_type(entry, Entry)
        async for change in memory.awatch(timeout=0):
            assert_type(change, Change)
        assert_type(await memory.afork("variant"), Memory)
        assert_type(await memory.aat(1), Memory)
        async with memory.transaction() as tx:
            tx.append("chat", "hello")
    with Memory("demo", timeout=5.0, base_url="memory:") as memory:
        assert_type(memory, Memory)


def mistakes(memory: Memory) -> None:
    # An ignore that nothing needs is an error under --strict: so each of these lines is one that mypy refuses.
    memory.merge("variant", strategy="mine")  # type: ignore[arg-type]
    memory.set("k", 1, ttl="60")  # type: ignore[arg-type]
    memory.set(7, 1)  # type: ignore[arg-type]
    memory.get("k", as_=Profile).name  # type: ignore[union-attr]  # noqa: B018
    memory.at(1.5)  # type: ignore[arg-type]
    len(memory)  # type: ignore[arg-type]
    memory.gett("k")  # type: ignore[attr-defined]
