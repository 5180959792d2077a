"""`BotWireStore` does what LangGraph's own store does, and what that one does not it does on purpose."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from graphs.behaviour import DIFFERENCES, StoreBehaviour
from house.tree import ROOT
from langgraph.store.base import GetOp, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

from botwire import Memory
from botwire_core.errors import InvalidKeyError, InvalidValueError, StoreReadOnlyError, UnsupportedError
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock
from botwire_langgraph.store import BotWireStore
from botwire_server.testing import served


@pytest.fixture(scope="module")
def turned_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ManualClock]]:
    clock = ManualClock()
    store = SqliteStore(tmp_path_factory.mktemp("server") / "memory.db", durability="normal", clock=clock)
    with served(store) as url:
        yield url, clock
    store.close()


@pytest.fixture(params=["sqlite", "http"])
def turned(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> tuple[Memory, ManualClock]:
    """An empty memory on each kind of store, and the clock that its store goes by."""
    name = f"test-{uuid4().hex}"
    if request.param == "http":
        url, clock = request.getfixturevalue("turned_server")
        return Memory(name, url), clock
    return Memory(name, store=SqliteStore(tmp_path / "memory.db", durability="normal", clock=clock)), clock


class TestInMemoryStore(StoreBehaviour):
    """LangGraph's own, so that the suite asks for nothing that is only ours."""

    @pytest.fixture
    def store(self) -> InMemoryStore:
        return InMemoryStore()

    @pytest.fixture
    def turn(self) -> Callable[[float], None]:
        return lambda seconds: None

    @pytest.fixture(autouse=True)
    def expected_difference(self, request: pytest.FixtureRequest) -> None:
        for name, reason in DIFFERENCES.items():
            test, _, case = name.partition("[")
            if request.node.originalname == test and (not case or request.node.name.endswith(f"-{case}")):
                # Of some only one of several cases differs.
                request.applymarker(pytest.mark.xfail(reason=reason, strict=False))


class TestBotWireStore(StoreBehaviour):
    @pytest.fixture
    def store(self, turned: tuple[Memory, ManualClock]) -> BotWireStore:
        return BotWireStore(turned[0])

    @pytest.fixture
    def turn(self, turned: tuple[Memory, ManualClock]) -> Callable[[float], None]:
        return turned[1].advance


def test_the_page_has_every_difference() -> None:
    page = (ROOT / "docs" / "reference" / "langgraph-store.md").read_text(encoding="utf-8")
    rows = {row.split("|")[2].strip() for row in page.splitlines() if row.startswith("| ") and row.count("|") == 5}
    assert set(DIFFERENCES.values()) <= rows


def test_the_tests_that_differ_exist() -> None:
    named = {name.partition("[")[0] for name in DIFFERENCES}
    assert named <= {name for name in dir(StoreBehaviour) if name.startswith("test_")}


# --- what only ours has ------------------------------------------------------------------------------------------


def test_an_item_is_the_entry_that_memory_shows(memory: Memory) -> None:
    store = BotWireStore(memory)
    store.put(("users", "ada"), "a/b", {"likes": ["tea"]})
    assert memory.get("store/users/ada/a%2Fb") == {"likes": ["tea"]}
    memory.set("store/users/ada/theme", {"dark": True})
    assert store.get(("users", "ada"), "theme").value == {"dark": True}  # type: ignore[union-attr]
    assert len(store.search(("users",))) == 2


def test_what_is_no_object_is_no_item(memory: Memory) -> None:
    for value in ("text", [1], None, b"\x00"):
        memory.set("store/a/k", value)
        store = BotWireStore(memory)
        assert store.get(("a",), "k") is None
        assert asyncio.run(store.aget(("a",), "k")) is None
        assert store.batch([GetOp(("a",), "k"), SearchOp(("a",))]) == [None, []]


def test_an_index_is_refused_with_a_reason() -> None:
    with pytest.raises(UnsupportedError, match=r"no index of vectors.*leave index out"):
        BotWireStore("mine", index={"dims": 3, "embed": lambda texts: []})


def test_a_key_that_is_too_long_is_refused(memory: Memory) -> None:
    with pytest.raises(InvalidKeyError, match=r"1,0\d\d bytes is too long"):
        BotWireStore(memory).put(("a",), "x" * 1024, {})
    with pytest.raises(InvalidKeyError, match="too long"):
        BotWireStore(memory).get(("a", "b" * 1100), "k")


@pytest.mark.parametrize("half", ["\ud800", "a\udfff/"])
def test_half_a_surrogate_pair_is_a_key_too(memory: Memory, half: str) -> None:
    store = BotWireStore(memory)
    store.put(("a", half), half, {"x": 1})
    (found,) = store.search(("a",))
    assert (found.namespace, found.key) == (("a", half), half)


def test_the_past_can_be_read_and_not_written(memory: Memory) -> None:
    store = BotWireStore(memory)
    store.put(("a",), "k", {"x": 1}, ttl=5)
    past = BotWireStore(memory.at(memory.snapshot()))
    store.put(("a",), "k", {"x": 2})
    assert past.search(("a",))[0].value == {"x": 1}
    assert past.get(("a",), "k").value == {"x": 1}  # type: ignore[union-attr]
    with pytest.raises(StoreReadOnlyError):
        past.put(("a",), "k", {"x": 3})


class TestTtl:
    @pytest.fixture(params=["sync", "async"])
    def do(self, request: pytest.FixtureRequest) -> Callable[..., Any]:
        def call(store: BotWireStore, name: str, *args: Any, **kwargs: Any) -> Any:
            if request.param == "sync":
                return getattr(store, name)(*args, **kwargs)

            async def run() -> Any:
                return await getattr(store, f"a{name}")(*args, **kwargs)

            return asyncio.run(run())

        return call

    def test_an_item_lives_for_minutes_and_is_never_returned_after(
        self, do: Callable[..., Any], turned: tuple[Memory, ManualClock]
    ) -> None:
        memory, clock = turned
        store = BotWireStore(memory, ttl={"refresh_on_read": False})
        do(store, "put", ("a",), "k", {"x": 1}, ttl=0.5)
        clock.advance(29)
        assert do(store, "get", ("a",), "k").value == {"x": 1}
        assert len(do(store, "search", ("a",), filter={"x": 1})) == 1
        clock.advance(1)
        assert do(store, "get", ("a",), "k") is None
        assert do(store, "search", ("a",)) == []
        assert do(store, "list_namespaces") == []

    @pytest.mark.parametrize("config", [None, {}, {"refresh_on_read": True}, {"refresh_on_read": False}])
    @pytest.mark.parametrize("asked", [None, True, False])
    @pytest.mark.parametrize("by", ["get", "search", "batch"])
    def test_a_read_lets_it_live_as_long_again_where_it_is_said(
        self, do: Callable[..., Any], turned: tuple[Memory, ManualClock], config: Any, asked: bool | None, by: str
    ) -> None:
        memory, clock = turned
        store = BotWireStore(memory, ttl=config)
        do(store, "put", ("a",), "k", {"x": 1}, ttl=1)
        do(store, "put", ("a",), "neighbour", {"x": 1}, ttl=1)
        clock.advance(50)
        default = True if config is None else config.get("refresh_on_read", True)
        refreshes = default if asked is None else asked
        if by == "get":
            assert do(store, "get", ("a",), "k", refresh_ttl=asked)
        elif by == "search":
            assert do(store, "search", ("a",), filter={"x": 1}, limit=2, refresh_ttl=asked)
        else:
            assert do(store, "batch", [GetOp(("a",), "k", refreshes)])[0]
        clock.advance(50)
        left = {item.key for item in do(store, "search", ("a",), refresh_ttl=False)}
        assert left == (set() if not refreshes else {"k", "neighbour"} if by == "search" else {"k"})
        clock.advance(50)
        assert do(store, "search", ("a",)) == []

    def test_only_what_a_search_returns_is_refreshed(self, turned: tuple[Memory, ManualClock]) -> None:
        memory, clock = turned
        store = BotWireStore(memory)
        for key in ("old", "new"):
            store.put(("a",), key, {"x": 1}, ttl=1)
            clock.advance(1)
        assert [item.key for item in store.search(("a",), limit=1)] == ["new"]
        clock.advance(58.5)
        assert [item.key for item in store.search(("a",))] == ["new"]

    def test_a_put_without_a_ttl_takes_the_default_or_none(self, turned: tuple[Memory, ManualClock]) -> None:
        memory, clock = turned
        store = BotWireStore(memory, ttl={"default_ttl": 1})
        store.put(("a",), "default", {"x": 1})
        store.put(("a",), "longer", {"x": 1}, ttl=2)
        store.put(("a",), "forever", {"x": 1}, ttl=None)
        store.put(("a",), "freed", {"x": 1})
        store.put(("a",), "freed", {"x": 1}, ttl=None)
        clock.advance(60)
        assert {item.key for item in store.search(("a",), refresh_ttl=False)} == {"longer", "forever", "freed"}
        clock.advance(60)
        assert {item.key for item in store.search(("a",))} == {"forever", "freed"}

    @pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), "1"])
    def test_a_ttl_that_is_none_is_refused(self, memory: Memory, ttl: Any) -> None:
        with pytest.raises((InvalidValueError, TypeError)):
            BotWireStore(memory).batch([PutOp(("a",), "fine", {}), PutOp(("a",), "k", {}, ttl=ttl)])
        assert memory.keys() == []

    def test_a_read_never_gives_an_expiry_to_what_was_written_meanwhile(
        self, turned: tuple[Memory, ManualClock]
    ) -> None:
        memory, clock = turned
        store = BotWireStore(memory)
        for key in ("one", "two"):
            store.put(("a",), key, {"x": 1}, ttl=1)
        clock.advance(30)
        flow = store._batch([GetOp(("a",), "one"), GetOp(("a",), "two")])
        reply: Any = None
        for _ in range(2):
            reply = memory.store.run(flow.send(reply))  # type: ignore[arg-type]
        refresh = flow.send(reply)
        store.put(("a",), "one", {"x": 2}, ttl=None)  # between the look and the refresh
        with pytest.raises(StopIteration):
            reply = None
            try:
                memory.store.run(refresh)  # type: ignore[arg-type]
            except Exception as error:
                step: Any = flow.throw(error)
                while True:
                    try:
                        step = flow.send(memory.store.run(step))
                    except StopIteration:
                        raise
                    except Exception as error:
                        step = flow.throw(error)
        clock.advance(59)
        assert {item.key for item in store.search(("a",), refresh_ttl=False)} == {"one", "two"}
        clock.advance(10_000)
        assert {item.key for item in store.search(("a",))} == {"one"}


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), True, "5", b"5", [1]])
def test_a_ttl_that_is_no_number_of_minutes_is_refused_as_it_was_given(memory: Memory, ttl: Any) -> None:
    store = BotWireStore(memory)
    with pytest.raises(InvalidValueError, match="minutes") as caught:
        store.put(("a",), "k", {"x": 1}, ttl=ttl)
    assert ascii(ttl) in str(caught.value)
    assert store.get(("a",), "k") is None


def test_no_page_names_an_operator_that_is_refused() -> None:
    page = (ROOT / "docs" / "reference" / "langgraph-store.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(\$\w+)`", page)) <= {"$eq", "$ne", "$gt", "$gte", "$lt", "$lte"}
