"""Watching over HTTP: server-sent events that go on where they broke off."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from client.conftest import Open
from client.scripted import Cut, Got, Step, on, problem, reply, scripted

from botwire_core.errors import RevisionPrunedError, StoreUnavailableError
from botwire_core.memory import Memory
from botwire_core.protocol import ListChanges
from botwire_core.stores.dict import DictStore
from botwire_core.stores.http.lines import Event, EventReader
from botwire_core.wire.results import result_to_json
from botwire_core.wire.text import dump
from botwire_server.config import ServerConfig
from botwire_server.testing import served

EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@pytest.fixture
def memory(opened: Open) -> Iterator[Memory]:
    with served(DictStore(), ServerConfig(log_requests=False)) as url:
        store = opened(url, sleep=time.sleep)
        yield Memory("space", store=store)
        store.close()


def test_what_is_there_comes_and_the_watch_ends(memory: Memory) -> None:
    memory.set("a", 1)
    memory.append("log", "x", "y")
    told = [(change.revision, change.key, change.value) for change in memory.watch(since=0, timeout=0)]
    assert told == [(1, "a", 1), (2, "log/0000000000000000000", "x"), (2, "log/0000000000000000001", "y")]
    (first, *_) = memory.watch("log", since=0, timeout=0)
    assert [change.value for change in memory.watch(since=first, timeout=0)] == ["y"]


def test_what_a_thread_writes_is_told_as_it_comes_and_nothing_after_the_timeout(memory: Memory) -> None:
    changes = memory.watch(timeout=2)
    writer = threading.Thread(target=lambda: [memory.increment("n") for _ in range(50)])
    writer.start()
    numbers = [change.value for change in changes]
    writer.join()
    assert numbers == list(range(1, 51))


async def test_async_watchers_are_told_everything_too_and_can_be_left(memory: Memory) -> None:
    async def numbers() -> list[object]:
        told = []
        async for change in memory.awatch(since=0):
            told.append(change.value)
            if change.value == 20:
                break
        return told

    watchers = [asyncio.ensure_future(numbers()) for _ in range(3)]
    for _ in range(20):
        await memory.aincrement("n")
    assert await asyncio.gather(*watchers) == [list(range(1, 21))] * 3


async def test_a_watcher_that_is_cancelled_leaves_at_once(memory: Memory) -> None:
    async def first() -> None:
        async for _ in memory.awatch():
            pass

    watcher = asyncio.ensure_future(first())
    await asyncio.sleep(0.05)
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher
    assert await memory.aset("k", 1) == 1


def test_what_is_no_longer_kept_is_refused(opened: Open) -> None:
    with scripted(problem(410, "revision_pruned", oldest=7)) as server:
        memory = Memory("space", store=opened(server.url))
        with pytest.raises(RevisionPrunedError) as caught:
            list(memory.watch(since=1, timeout=0))
    assert caught.value.oldest == 7


class Watched:
    """A server whose events break off: each line tells two pages of one change, and a half one after them."""

    def __init__(self) -> None:
        self.store = DictStore()
        self.memory = Memory("space", store=self.store)
        self.lines = 0
        self._ops = on(self.store)

    def __call__(self, got: Got) -> Step:
        if got.method == "POST":
            return self._ops(got)
        self.lines += 1
        since = int(got.headers["last-event-id"])
        assert f"since={since}" in got.target
        for _ in range(3):
            self.memory.increment("n")
        pages = [self._event(since + number) for number in range(3)]
        return Cut(EVENTS + b": hello\n\n" + pages[0] + pages[1] + pages[2][:-10])

    def _event(self, since: int) -> bytes:
        page = self.store.run(ListChanges("space", since, limit=1))
        told = dump(result_to_json(ListChanges, page))
        return b"id: %d\nevent: changes\ndata: %s\n\n" % (page.revision, told)


@pytest.mark.parametrize("colour", ["watch", "awatch"])
def test_a_line_that_breaks_in_the_middle_of_a_page_loses_and_repeats_nothing(opened: Open, colour: str) -> None:
    script = Watched()
    with scripted(script=script) as server:
        memory = Memory("space", store=opened(server.url))

        async def numbers() -> list[object]:
            told: list[object] = []
            async for change in memory.awatch(since=0):
                told.append(change.value)
                if len(told) >= 30:
                    break
            return told

        if colour == "watch":
            changes = memory.watch(since=0)
            told: list[object] = [next(changes).value for _ in range(30)]
        else:
            told = asyncio.run(numbers())
        assert told == list(range(1, 31))
        assert script.lines >= 10


def test_a_server_without_events_is_asked_again_and_again(opened: Open, waits: list[float]) -> None:
    store = DictStore()
    ops = on(store)

    def script(got: Got) -> Step:
        return ops(got) if got.method == "POST" else reply({"detail": "not found"}, 404)

    with scripted(script=script) as server:
        Memory("space", store=store).set("k", 1)
        memory = Memory("space", store=opened(server.url))
        changes = memory.watch(since=0)
        assert next(changes).value == 1
        Memory("space", store=store).set("k", 2)
        assert next(changes).value == 2


def test_a_server_that_stays_away_ends_the_watch_with_an_error(opened: Open) -> None:
    script = Watched()
    with scripted(script=script) as server:
        memory = Memory("space", store=opened(server.url))
        changes = memory.watch(since=0)
        assert next(changes).value == 1
    with pytest.raises(StoreUnavailableError):
        for _ in changes:
            pass


def test_events_are_read_whatever_the_pieces_are() -> None:
    text = b": hi\n\nid: 1\r\nevent: changes\r\ndata: {\r\ndata: }\r\n\r\nevent: other\ndata:x\n\nid: 4\n\n"
    for size in range(1, len(text)):
        reader = EventReader()
        events = [event for start in range(0, len(text), size) for event in reader.feed(text[start : start + size])]
        assert events == [Event("changes", b"{\n}"), Event("other", b"x")]
