"""What only a file can show of a store that a server stands on: restarts, bytes on the disk, a disk that is full."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import (
    BotWireError,
    CommitUnknownError,
    QuotaExceededError,
    StoreBusyError,
    StoreFullError,
)
from botwire_core.service import REPLAY_SECONDS, FindToken, GetRow, GetUsage, ListTokens, Quota, Request, Serve
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock

DAY = 86400


@pytest.fixture
def opened(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[[], SqliteStore]]:
    """Opens the one file anew, as a server does that was restarted."""
    stores: list[SqliteStore] = []

    def opened() -> SqliteStore:
        stores.append(SqliteStore(tmp_path / "memory.db", clock=clock, monotonic=clock))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def request(*ops: p.Op[Any], key: str | None = "key", quota: Quota | None = None, atomic: bool = False) -> Request:
    return Request(ops, atomic, "ann", key, sha256(repr(ops).encode()).digest(), quota)


def everything_in(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob("memory.db*"))


def test_p12_an_answer_outlives_the_server(opened: Callable[[], SqliteStore]) -> None:
    once = Serve((request(p.Increment("space", "n")),))
    first = opened().run(once)[0]
    again = opened().run(once)[0]
    assert (again.outcomes, again.replayed) == (first.outcomes, True)


def test_t9_two_servers_agree_on_what_is_left(opened: Callable[[], SqliteStore]) -> None:
    one, two = opened(), opened()
    writes = Serve((request(p.Append("space", "log", (encode(1),)), key=None, quota=Quota(writes_per_day=5)),))
    replies = [store.run(writes)[0] for _ in range(4) for store in (one, two)]
    assert [reply.outcomes[0].error is None for reply in replies] == [True] * 5 + [False] * 3


def test_t10_a_clock_that_goes_back_over_midnight_gives_nothing(
    opened: Callable[[], SqliteStore], clock: ManualClock
) -> None:
    clock.advance(DAY - clock() % DAY - 10)
    write = Serve((request(p.Increment("space", "n"), key=None, quota=Quota(writes_per_day=2)),))
    for _ in range(2):
        store = opened()
        assert [store.run(write)[0].outcomes[0].error is None for _ in range(3)] == [True, True, False]
        clock.advance(20)
    clock.advance(-40)
    restarted = opened()  # it has not seen the time it was
    reply = restarted.run(write)[0]
    error = reply.outcomes[0].error
    assert isinstance(error, QuotaExceededError)
    assert error.retry_after == DAY + 10
    clock.advance(20)
    assert restarted.run(write)[0].outcomes[0].error is not None
    clock.advance(DAY)
    assert restarted.run(write)[0].outcomes[0].error is None


def test_t10_a_clock_that_was_a_year_ahead_takes_no_year_of_writes(
    opened: Callable[[], SqliteStore], clock: ManualClock
) -> None:
    write = Serve((request(p.Increment("space", "n"), key=None, quota=Quota(writes_per_day=1)),))
    clock.advance(366 * DAY)
    opened().run(write)
    clock.advance(-366 * DAY)
    store = opened()
    error = store.run(write)[0].outcomes[0].error
    assert isinstance(error, QuotaExceededError)
    assert error.retry_after <= DAY
    clock.advance(DAY)
    assert store.run(write)[0].outcomes[0].error is None


def test_answers_do_not_pile_up(opened: Callable[[], SqliteStore], clock: ManualClock) -> None:
    store = opened()
    for number in range(120):
        clock.advance(REPLAY_SECONDS / 50)
        store.run(Serve((request(p.Set("space", "k", encode(number)), key=f"key-{number}"),)))
    kept = store.find(".replays")
    assert kept is not None
    assert 50 <= len(list(store.sizes(kept))) <= 55
    assert store.run(Serve((request(p.Set("space", "k", encode(119)), key="key-119"),)))[0].replayed
    assert store.health().integrity == "ok"


def test_a_purge_takes_what_answers_tell_off_the_disk(
    opened: Callable[[], SqliteStore], tmp_path: Path, clock: ManualClock
) -> None:
    store = opened()
    store.run(p.Fork("space", "gone", ttl=60))
    mixed = request(p.Set("space", "canary-key", encode("canary-value")), p.GetEntry("space", "canary-key"))
    appended = request(p.Append("gone", "canary-key", (encode(1),)), p.GetMany("gone", ("canary-key",)), key="other")
    refused = request(p.Increment("space", "n"), p.Increment("space", "canary-key"), key="refused")
    store.run(Serve((mixed, appended, refused)))
    clock.advance(60)
    assert b"canary" in everything_in(tmp_path / "memory.db")
    reply = store.run(Serve((request(p.Purge("space", "canary-key"), key="purge"),)))[0]
    assert reply.outcomes[0].error is None
    assert b"canary" not in everything_in(tmp_path / "memory.db")
    for one in (mixed, refused):
        assert isinstance(store.run(Serve((one,)))[0].outcomes[0].error, CommitUnknownError)


def test_a_purge_that_a_reader_keeps_on_the_disk_is_told_and_ends_with_the_retry(
    opened: Callable[[], SqliteStore], tmp_path: Path
) -> None:
    store = opened()
    store.run(p.Set("space", "canary", encode("canary-value")))
    reader = apsw.Connection(str(tmp_path / "memory.db"))
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM versions").fetchall()
    purge = Serve((request(p.Set("space", "k", encode(1)), key="first"), request(p.Purge("space", "canary"), key="2")))
    store_with_little_patience = SqliteStore(tmp_path / "memory.db", timeout=0.1)
    first, second = store_with_little_patience.run(purge)
    assert first.outcomes[0].error is None
    assert isinstance(second.outcomes[0].error, StoreBusyError)
    reader.execute("COMMIT")
    reader.close()
    first, second = store_with_little_patience.run(purge)
    assert (second.replayed, second.outcomes[0].error) == (True, None)
    assert b"canary-value" not in everything_in(tmp_path / "memory.db")
    store_with_little_patience.close()


def test_d6_a_disk_that_fills_up_in_the_middle_undoes_all_requests(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "memory.db")
    store.run(p.Set("space", "k", encode("before")))
    pages = store.one("PRAGMA page_count")[0]
    store.execute(f"PRAGMA max_page_count = {pages + 4}")
    large = encode("x" * 100_000)
    for quota in (None, Quota(writes_per_day=100, bytes=10**9)):
        group = Serve(
            (
                request(p.Set("space", "k", encode("after")), key="1", quota=quota),
                request(p.Set("space", "large", large), key="2", quota=quota),
                request(p.Set("space", "k", encode("later")), key="3", quota=quota),
            )
        )
        with pytest.raises(StoreFullError):
            store.run(group)
        assert store.run(p.Get("space", "k")) == "before"
        assert store.run(p.ListKeys("space")) == ["k"]
    store.execute("PRAGMA max_page_count = 1000000")
    assert [reply.outcomes[0].result for reply in store.run(group)] == [2, 1, 3]
    store.close()


def test_a_write_of_another_thread_waits_for_the_group_and_is_no_part_of_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "memory.db")
    with store.grouped():
        store.run(p.Set("space", "k", encode(1)))
        threads = [threading.Thread(target=store.run, args=(p.Set("space", f"k{n}", encode(n)),)) for n in range(3)]
        for thread in threads:
            thread.start()
        assert store.grouping()
        with pytest.raises(BotWireError), store.exclusive():
            store.run(p.Set("space", "undone", encode(1)))
            store.run(p.Increment("space", "", 1))
    for thread in threads:
        thread.join()
    assert not store.grouping()
    assert store.run(p.ListKeys("space")) == ["k", "k0", "k1", "k2"]
    store.close()


def test_a_group_within_a_group_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "memory.db")
    with store.grouped():
        with pytest.raises(StoreBusyError), store.grouped():
            pass
        store.run(p.Set("space", "k", encode(1)))
    assert store.run(p.Get("space", "k")) == 1
    store.close()


def test_unmetered_writes_are_found_by_the_daily_count(opened: Callable[[], SqliteStore], clock: ManualClock) -> None:
    store = opened()
    quota = Quota(bytes=1000)
    write = request(p.Set("space", "k", encode(1)), key=None, quota=quota)
    store.run(Serve((write,)))
    store.run(p.Set("space", "embedded", encode("x" * 998)))
    assert store.run(Serve((write,)))[0].usage.bytes == 1  # type: ignore[union-attr]
    clock.advance(DAY)
    assert store.run(Serve((write,)))[0].usage.bytes == store.run(GetUsage("space")).bytes == 1001  # type: ignore[union-attr]


def test_a_token_or_row_is_looked_up_beside_a_commit_that_takes_long(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "memory.db")
    store.run(p.Set("space", "k", encode(1)))
    looks = (GetRow("space", "k"), FindToken(bytes(32)), ListTokens(), GetUsage("space"))
    for op in looks:
        store.run(op)

    async def look_while_it_is_written() -> Any:
        began, may_end = threading.Event(), threading.Event()

        def write() -> None:
            with store.grouped():
                store.run(p.Set("space", "k", encode(2)))
                began.set()
                may_end.wait(30)

        writer = threading.Thread(target=write)
        writer.start()
        assert await asyncio.to_thread(began.wait, 30)
        waiting = asyncio.create_task(store.arun(Serve((request(p.Increment("space", "n")),))))
        await asyncio.sleep(0)
        found = [await asyncio.wait_for(store.arun(op), 20) for op in looks]
        assert not waiting.done()
        may_end.set()
        await waiting
        writer.join()
        await store.aclose()
        return found

    row, token, tokens, usage = asyncio.run(look_while_it_is_written())
    assert (row.data in (b"1", b"2"), token, tokens, usage.writes_today) == (True, None, [], 0)
