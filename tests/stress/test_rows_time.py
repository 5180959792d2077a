"""Until when values stand: expiry by an absolute instant, whatever the clock, the time zone or the sweep does."""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from stress.machine import open_memory

from botwire_core.errors import InvalidValueError
from botwire_core.memory import Memory
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock
from botwire_postgres.url import open_url

YEAR = 365 * 86400.0


@pytest.fixture(params=["file", "dict", "postgres"])
def memory(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Memory]:
    if request.param == "postgres":
        memory = Memory("notes", store=open_url(request.getfixturevalue("fresh_schema")(), clock=clock))
    elif request.param == "file":
        memory = open_memory(tmp_path / "memory.db", clock=clock, monotonic=clock)
    else:
        memory = Memory("notes", store=DictStore(clock=clock))
    yield memory
    memory.close()


def check_gone(memory: Memory, key: str, value: Any) -> None:
    """An expired value is given by nothing, in its namespace, its forks and its past."""
    fork = Memory("fork", store=memory.store)
    for view in (memory, fork, memory.at("label"), memory.fork(f"later-{memory.stats().forks}")):
        assert view.get(key) is None
        assert view.entry(key) is None
        assert key not in view
        assert view.ttl(key) is None
        assert view.get_many([key]) == {}
        assert key not in view.list_keys()
        assert [entry.key for entry in view.entries() if entry.key == key] == []
        assert view.history(key) == []
        assert [entry.key for entry in view.search(limit=100) if entry.key == key] == []
        file = io.BytesIO()
        view.export(file)
        assert str(value).encode() not in file.getvalue()
    assert value not in [change.value for change in memory.watch(since=0, timeout=0)]
    assert key not in memory.diff(fork).added
    assert not memory.expire(key, 60)
    assert memory.delete(key) is False


def test_t1_an_expired_value_is_given_by_nothing_before_any_sweep(memory: Memory, clock: ManualClock) -> None:
    memory.set("stays", 1)
    memory.set("goes", "the secret", ttl=60)
    memory.append("log", "kept")
    memory.append("log", "the secret", ttl=60)
    memory.fork("fork")
    memory.snapshot("label")
    clock.advance(59)
    assert memory.get("goes") == memory.at("label").get("goes") == "the secret"
    clock.advance(1)
    check_gone(memory, "goes", "the secret")
    assert memory.read("log") == Memory("fork", store=memory.store).read("log") == ["kept"]
    assert memory.set("goes", "new") == 2
    assert memory.increment("counter") == 1


def test_t3_a_clock_that_jumps_a_year_ahead_sweeps_nothing_off_the_disk(tmp_path: Path) -> None:
    wall, steady = ManualClock(), ManualClock(0.0)
    path = tmp_path / "memory.db"
    store = SqliteStore(path, clock=wall, monotonic=steady)
    memory = Memory("notes", store=store)
    memory.set("key", "until tomorrow", ttl=86400)
    memory.fork("fork", ttl=86400)
    memory.set("deleted", "restored later")
    memory.delete("deleted")
    assert store.sweep() == 0
    wall.advance(YEAR)
    assert memory.get("key") is None
    assert store.sweep() == 0
    for number in range(300):  # sweeps in passing come every 128 writes
        memory.set("other", number)
    memory.close()
    before = Memory("notes", store=SqliteStore(path, clock=ManualClock(), monotonic=steady))
    assert before.get("key") == "until tomorrow"
    assert Memory("fork", store=before.store).get("key") == "until tomorrow"
    assert before.restore("deleted", 1) == 3
    before.close()


def test_t3_a_year_that_both_clocks_saw_is_swept(tmp_path: Path) -> None:
    """The control: without the jump the same things go."""
    clock = ManualClock()
    store = SqliteStore(tmp_path / "memory.db", clock=clock, monotonic=clock)
    memory = Memory("notes", store=store)
    memory.set("key", "until tomorrow", ttl=86400)
    memory.fork("fork", ttl=86400)
    memory.set("deleted", 1)
    memory.delete("deleted")
    assert store.sweep() == 0
    clock.advance(YEAR)
    assert store.sweep() >= 3
    memory.close()


BAD_TTLS = [0, -1, -0.0, 0.0, math.nan, math.inf, -math.inf, 1e400, 1e300, 10**400, True, False, "5", b"5", [5], 1j]
BAD_TTLS += [10 * 366 * 86400 + 1, datetime(2030, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("ttl", BAD_TTLS, ids=lambda ttl: type(ttl).__name__)
def test_t5_a_ttl_that_is_no_number_of_seconds_up_to_ten_years_is_refused(memory: Memory, ttl: Any) -> None:
    memory.set("there", 1)
    for use in (
        lambda: memory.set("key", 1, ttl=ttl),
        lambda: memory.set("there", 2, ttl=ttl),
        lambda: memory.set_many({"key": 1}, ttl=ttl),
        lambda: memory.append("log", 1, ttl=ttl),
        lambda: memory.expire("there", ttl),
        lambda: memory.expire("absent", ttl),
        lambda: memory.fork("fork", ttl=ttl),
        lambda: memory.snapshot("label", ttl=ttl),
    ):
        with pytest.raises(InvalidValueError, match="ttl"):
            use()
    assert memory.list_keys() == ["there"]
    assert memory.ttl("there") is None
    assert memory.snapshots() == []


@pytest.mark.parametrize("ttl", [1e-6, 0.001, 1, 60.5, 86400 * 366 * 10.0])
def test_t6_an_entry_is_gone_at_the_very_microsecond_of_its_end(memory: Memory, clock: ManualClock, ttl: float) -> None:
    memory.set("key", 1, ttl=ttl)
    memory.append("log", 1, ttl=ttl)
    memory.fork("fork", ttl=ttl)
    memory.snapshot("label", ttl=ttl)
    clock.advance(ttl - 1e-6)
    if ttl > 1e-6:
        assert memory.get("key") == 1
        assert memory.list_keys() == ["key", f"log/{0:019}"]
        assert memory.ttl("key") == pytest.approx(1e-6)
        assert memory.stats().forks == memory.stats().snapshots == 1
        clock.advance(1e-6)
    else:
        clock.advance(2e-6)
    assert memory.get("key") is None
    assert memory.list_keys() == memory.read("log") == memory.snapshots() == []
    assert memory.stats().keys == memory.stats().bytes == memory.stats().forks == memory.stats().snapshots == 0


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Etc/GMT+12"])
@pytest.mark.parametrize("moment", ["2026-03-08T07:00:00", "2026-11-01T05:59:59", "2016-12-31T23:59:59.999999"])
def test_t7_no_time_zone_nor_change_of_the_clocks_moves_a_time(tmp_path: Path, zone: str, moment: str) -> None:
    seconds = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        clock = ManualClock(seconds)
        memory = open_memory(tmp_path / "memory.db", clock=clock)
        memory.set("key", 1, ttl=7200)
        entry = memory.entry("key")
        assert entry is not None
        assert entry.updated_at == datetime.fromisoformat(moment).replace(tzinfo=UTC)
        assert entry.updated_at.tzinfo is UTC
        assert entry.expires_at is not None
        assert entry.expires_at.timestamp() == seconds + 7200
        clock.advance(7199)
        assert memory.get("key") == 1
        assert memory.at(entry.updated_at).get("key") == 1
        with pytest.raises(InvalidValueError, match="time zone"):
            memory.at(datetime(2026, 1, 1))
        clock.advance(1)
        assert memory.get("key") is None
        memory.close()
    finally:
        os.environ.pop("TZ") if before is None else os.environ.__setitem__("TZ", before)
        time.tzset()
