"""`GET /v1/watch`: server-sent events without gaps, shared by many, that outlive a broken connection."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from server.events import watching
from server.raw import connected, request

from botwire_core.codec import encode
from botwire_core.errors import StoreUnavailableError
from botwire_core.protocol import ListChanges, Op, Resolve, Set, SetMany
from botwire_core.stores.sqlite import SqliteStore
from botwire_server.config import ServerConfig
from botwire_server.testing import served
from botwire_server.watch import Watchers


def put(store: SqliteStore, space: str, key: str, value: Any) -> None:
    store.run(Set(space, key, encode(value)))


def test_changes_come_as_they_are_committed(store: SqliteStore, url: str, space: str) -> None:
    put(store, space, "before", 0)
    with watching(url, space) as events:
        assert "" in events.block()  # it is watching now
        put(store, space, "a", 1)
        assert events.changes() == (2, [("a", 1)])
        httpx.put(f"{url}/memory/{space}/b", json={"value": 2})
        assert events.changes() == (3, [("b", 2)])
        httpx.delete(f"{url}/memory/{space}/a")
        assert events.changes() == (4, [("a", None)])


def test_a_watcher_that_comes_back_has_missed_nothing(store: SqliteStore, url: str, space: str) -> None:
    with watching(url, space, since=0) as events:
        put(store, space, "a", 1)
        revision, _ = events.changes()
    put(store, space, "b", 2)
    put(store, space, "c", 3)
    with watching(url, space, since=0, last_id=revision) as events:
        seen: list[tuple[str, Any]] = []
        while len(seen) < 2:
            seen += events.changes()[1]
        assert seen == [("b", 2), ("c", 3)]


def test_only_what_has_the_prefix_is_told(store: SqliteStore, url: str, space: str) -> None:
    with watching(url, space, since=0, prefix="user:") as events:
        put(store, space, "other", 1)
        put(store, space, "user:1", 2)
        assert events.changes()[1] == [("user:1", 2)]


def test_a_revision_is_never_told_in_halves(store: SqliteStore, url: str, space: str) -> None:
    keys = [f"{n:04}" for n in range(700)]
    store.run(SetMany(space, tuple((key, encode(key)) for key in keys)))
    with watching(url, space, since=0) as events:
        revision, changes = events.changes()
        assert (revision, sorted(changes)) == (1, [(key, key) for key in keys])


def test_a_long_past_comes_in_pages_that_follow_each_other(store: SqliteStore, url: str, space: str) -> None:
    for n in range(450):
        put(store, space, f"{n}", n)
    with watching(url, space, since=0) as events:
        seen: list[Any] = []
        while len(seen) < 450:
            seen += [value for _, value in events.changes()[1]]
    assert seen == list(range(450))


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"since": -1}, 422),
        ({"since": "x"}, 422),
        ({"since": "1e3"}, 422),
        ({"since": 10**30}, 422),
        ({"namespace": "a/b"}, 422),
        ({"namespace": ""}, 422),
        ({"prefix": "\0"}, 422),
        ({"unknown": 1}, 422),
    ],
    ids=str,
)
def test_what_cannot_be_watched_is_refused_before_the_first_event(
    url: str, space: str, parameters: dict[str, Any], status: int
) -> None:
    with watching(url, space, **parameters) as events:
        assert events.reply.status_code == status
        assert events.reply.json()["code"]


def test_silence_is_broken_by_signs_of_life(store: SqliteStore, space: str) -> None:
    with served(store, ServerConfig(heartbeat_seconds=0.05)) as url, watching(url, space) as events:
        assert all("" in events.block() for _ in range(4))


class Counting:
    """A store that counts how often it is asked for changes."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.features, self.limits, self.close, self.aclose = store.features, store.limits, store.close, store.aclose
        self.asked: dict[type, int] = {}

    def run(self, op: Op[Any]) -> Any:
        return self._store.run(op)

    async def arun(self, op: Op[Any]) -> Any:
        self.asked[type(op)] = self.asked.get(type(op), 0) + 1
        return await self._store.arun(op)


def test_many_watchers_of_a_namespace_cost_the_store_as_much_as_one(store: SqliteStore, space: str) -> None:
    put(store, space, "a", 0)
    counting = Counting(store)
    with served(counting) as url, contextlib.ExitStack() as stack:
        watchers = [stack.enter_context(watching(url, space, since=1)) for _ in range(12)]
        for events in watchers:
            events.block()
        counting.asked.clear()
        for n in range(1, 6):
            put(store, space, "a", n)
            assert all(events.changes() == (n + 1, [("a", n)]) for events in watchers)
        # Each change is looked for once, read once, and once more found to be the last.
        assert counting.asked[ListChanges] <= 5 * 3
        assert Resolve in counting.asked


def test_a_reader_that_takes_nothing_is_cut_off_and_holds_no_more_than_a_page(store: SqliteStore, space: str) -> None:
    large = "x" * 500_000
    # What was handed over while there was room is not known to wait: the next sign of life is what finds out.
    with served(store, ServerConfig(body_seconds=0.5, heartbeat_seconds=0.1)) as url:
        with connected(url) as connection, httpx.Client(base_url=url) as client:
            connection.sendall(request("GET", f"/v1/watch?namespace={space}&since=0"))
            assert connection.recv(10)
            for n in range(60):
                put(store, space, f"{n}", large)
            # The server lets go of it, though the connection is open and 30 MB are waiting.
            gone = "botwire_watchers 0.0"
            assert any(gone in client.get("/metrics").text for _ in range(5000)), "it is still held"
        with watching(url, space, since=0) as events:
            seen = 0
            while seen < 60:
                seen += len(events.changes()[1])


def test_a_client_that_goes_is_no_longer_watching(url: str, space: str) -> None:
    with watching(url, space) as events:
        events.block()
        assert "botwire_watchers 1.0" in httpx.get(f"{url}/metrics").text
    assert any("botwire_watchers 0.0" in httpx.get(f"{url}/metrics").text for _ in range(1000))


def test_a_server_that_stops_ends_its_streams(store: SqliteStore, space: str) -> None:
    with contextlib.ExitStack() as stack:
        with served(store) as url:
            events = stack.enter_context(watching(url, space))
            events.block()
        with pytest.raises(EOFError):
            events.block()


def test_beyond_the_number_of_watchers_one_is_told_to_come_back(store: SqliteStore, space: str) -> None:
    with served(store, ServerConfig(watchers=1)) as url, watching(url, space) as first:
        first.block()
        with watching(url, space) as second:
            assert (second.reply.status_code, second.reply.json()["code"]) == (503, "overloaded")


def test_watchers_take_no_place_of_those_who_ask(tmp_path: Path, space: str) -> None:
    store = SqliteStore(tmp_path / "memory.db", durability="normal")
    with served(store, ServerConfig(requests=3)) as url, contextlib.ExitStack() as stack:
        everybody = [stack.enter_context(watching(url, space)) for _ in range(6)]
        assert all("" in events.block() for events in everybody)
        assert httpx.put(f"{url}/memory/{space}/key", json={"value": 1}).status_code == 200
    store.close()


class Flaky(SqliteStore):
    """A store that cannot tell changes for a while."""

    fails = 0

    def run(self, op: Op[Any]) -> Any:
        if isinstance(op, ListChanges) and op.limit > 1 and self.fails > 0:
            self.fails -= 1
            raise StoreUnavailableError("gone for a moment")
        return super().run(op)


async def test_a_page_that_failed_once_is_read_anew_for_the_next_watcher(tmp_path: Path, space: str) -> None:
    store = Flaky(tmp_path / "memory.db", durability="normal")
    put(store, space, "key", 1)
    watchers = Watchers(store, ServerConfig())
    stays, watcher = watchers.join(space, "else"), watchers.join(space, "")
    assert await stays.wait(20)  # it was looked at once
    store.fails = 1
    with pytest.raises(StoreUnavailableError):
        await watcher.page_after(0)
    revision, page = await watcher.page_after(0)
    assert (revision, json.loads(page)["changes"][0]["entry"]["key"]) == (1, "key")
    for one in (stays, watcher):
        one.close()
    store.close()


async def test_pages_that_watchers_asked_for_are_not_kept_for_ever(tmp_path: Path, space: str) -> None:
    store = SqliteStore(tmp_path / "memory.db", durability="normal")
    put(store, space, "key", "x" * 1000)
    watchers = Watchers(store, ServerConfig())
    stays = watchers.join(space, "")
    for number in range(200):
        watcher = watchers.join(space, f"key{number}")
        await watcher.page_after(0)
        watcher.close()
    gc.collect()
    kept = [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and one.done()]
    assert len(kept) < 50
    stays.close()
    store.close()
