"""What the embedded store does beyond the contracts: forgetting, pruning, and what goes wrong beneath it."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import apsw
import pytest
from typing_extensions import Buffer

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import (
    CommitUnknownError,
    RevisionPrunedError,
    StoreBusyError,
    StoreFullError,
    StoreUnavailableError,
)
from botwire_core.results import Record
from botwire_core.stores.sqlite import SqliteStore, connections
from botwire_core.testing import ManualClock
from botwire_core.testing.stores.space import Space

LONGER_THAN_DELETES_ARE_KEPT = 31 * 86400.0


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[SqliteStore]:
    # One clock for both, so that days pass as days do, and sweeps trust it.
    store = SqliteStore(tmp_path / "memory.db", clock=clock, monotonic=clock)
    yield store
    store.close()


@pytest.fixture
def space(store: SqliteStore) -> Space:
    return Space(store.run)


def forget(space: Space, store: SqliteStore, clock: ManualClock, key: str) -> None:
    """Let a key come and go, and be forgotten whole."""
    space.set(key, "short-lived")
    space.delete(key)
    clock.advance(LONGER_THAN_DELETES_ARE_KEPT)
    assert store.sweep() > 0
    assert space.history(key) == []


def test_a_snapshot_shows_its_moment_after_later_keys_are_forgotten(
    space: Space, store: SqliteStore, clock: ManualClock
) -> None:
    space.set("a", 1)
    at = int(space.run(p.Snapshot(space.name, "then")))
    forget(space, store, clock, "b")
    assert space.contents(at=at) == {"a": 1}
    assert space.get("never", at=at) is p.MISSING
    assert space.fork("fork", at=at).contents() == {"a": 1}
    assert [change.key for change in space.run(p.ListChanges(space.name, since=at)).changes] == []


def test_a_fork_is_compared_and_merged_after_its_parent_forgot_keys(
    space: Space, store: SqliteStore, clock: ManualClock
) -> None:
    space.set("a", 1)
    fork = space.fork("fork")
    forget(space, store, clock, "b")
    space.set("c", 1)
    fork.set("d", 1)
    diff = space.run(p.Compare("fork", space.name))
    assert (diff.added, diff.removed) == ({"c": 1}, {"d": 1})
    assert space.run(p.Merge("fork", space.name)).written == ["c"]
    assert space.run(p.Merge(space.name, "fork")).written == ["d"]


def test_the_past_of_a_key_that_was_forgotten_and_came_again_is_no_longer_told(
    space: Space, store: SqliteStore, clock: ManualClock
) -> None:
    forget(space, store, clock, "k")
    space.set("k", "new")
    with pytest.raises(RevisionPrunedError):
        space.get("k", at=1)
    assert space.get("k", at=space.revision) == "new"


def test_a_diff_of_two_moments_raises_where_a_key_between_them_was_pruned(space: Space) -> None:
    for number in range(200):
        space.set("busy", number)
        if number < 20:
            space.set(f"quiet{number}", number)
    with pytest.raises(RevisionPrunedError):
        space.run(p.Compare(space.name, space.name, at=5, other_at=25))
    quiet = space.run(p.Compare(space.name, space.name, at=5, other_at=25, prefix="quiet"))
    assert len(quiet.added) == 10


def test_a_diff_with_a_moment_of_a_fork_raises_where_a_key_of_then_was_forgotten(
    space: Space, store: SqliteStore, clock: ManualClock
) -> None:
    fork = space.fork("fork")
    fork.set("stays", 1)
    then = fork.revision + 1
    forget(fork, store, clock, "k")
    with pytest.raises(RevisionPrunedError):
        space.run(p.Compare(space.name, "fork", other_at=then))


def test_a_key_that_came_after_a_snapshot_was_not_there_before_it(space: Space) -> None:
    space.set("a", 1)
    space.set("a", 2)
    space.run(p.Snapshot(space.name))
    for number in range(200):
        space.set("late", number)
    assert space.get("late", at=1) is p.MISSING


def test_a_merge_of_a_moment_before_the_fork_point_is_the_base_of_the_next(space: Space) -> None:
    for number in range(3):
        space.set("k", number)
    fork, target = space.fork("fork"), space.beside("target")
    assert target.run(p.Merge("target", "fork", other_at=2)).written == ["k"]
    for number in range(200):
        space.set("k", number)
    fork.set("own", 1)
    result = target.run(p.Merge("target", "fork"))
    assert (result.written, result.conflicts) == (["k", "own"], [])
    assert target.get("k") == 2


def test_a_namespace_that_has_used_up_its_rows_says_so_and_touches_no_other(space: Space, store: SqliteStore) -> None:
    other = space.beside("other")
    space.set("k", 0)
    other.set("k", "other")
    file = apsw.Connection(store.path)
    file.execute("UPDATE spaces SET last_row = (1 << 32) - 2 WHERE name = ?", (space.name,))
    file.close()
    assert space.set("k", 1) == 2
    with pytest.raises(StoreFullError):
        space.set("k", 2)
    with pytest.raises(StoreFullError):
        space.append("log", 1)
    assert space.get("k") == 1
    assert other.set("k", "again") == 2
    assert [entry.value for entry in other.history("k")] == ["again", "other"]
    assert space.fork("fork").set("k", 2) == 3


def test_readers_of_a_namespace_that_comes_and_goes_see_it_or_see_nothing(
    space: Space, store: SqliteStore, scale: Callable[[int], int]
) -> None:
    done = threading.Event()

    def read() -> set[object]:
        seen: set[object] = set()
        while not done.is_set():
            seen.add(store.run(p.Get(space.name, "k")))
        return seen

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read) for _ in range(4)]
            for _ in range(scale(500)):
                space.set("k", "here")
                space.run(p.Drop(space.name))
            done.set()
            assert set.union(*(reader.result() for reader in readers)) <= {"here", p.MISSING}
    finally:
        done.set()
        sys.setswitchinterval(interval)


class FaultyFile(apsw.VFSFile):
    """A file of SQLite's that fails at what the test names."""

    failing: ClassVar[set[str]] = set()

    def xSync(self, flags: int) -> None:
        self._fail("sync")
        super().xSync(flags)

    def xWrite(self, data: Buffer, offset: int) -> None:
        self._fail("write")
        super().xWrite(data, offset)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._fail("read")
        return super().xRead(amount, offset)

    def _fail(self, what: str) -> None:
        if what in self.failing:
            raise apsw.IOError(what)


class FaultyDisk(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("botwire-faulty", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return FaultyFile("unix", name, flags)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Put what the disk shall fail at into this set."""
    monkeypatch.setattr(FaultyFile, "failing", set())
    disk = FaultyDisk()
    yield FaultyFile.failing
    disk.unregister()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("fault", ["sync", "write"])
@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_disk_that_fails_in_a_commit_leaves_its_outcome_unknown_and_says_so(
    failing: set[str], space: Space, fault: str, many: bool
) -> None:
    space.set("k", 0)
    space.set("k", 1)
    failing.add(fault)
    with pytest.raises(CommitUnknownError):
        if many:
            space.run(p.SetMany(space.name, (("k", encode(2)),)))
        else:
            space.set("k", 2)
    failing.clear()
    assert space.get("k") in (1, 2)
    space.set("k", 3)
    assert space.get("k") == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_disk_that_fails_in_a_read_is_named_and_the_next_read_works(
    failing: set[str], store: SqliteStore, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    space.run(p.SetMany(space.name, tuple((f"k{number}", encode("x" * 3000)) for number in range(1000))))
    store.close()
    pragmas = tuple(one for one in connections._PRAGMAS if one[0] != "mmap_size")
    monkeypatch.setattr(connections, "_PRAGMAS", pragmas)  # so that pages come by read
    assert space.get("k1") != p.MISSING
    failing.add("read")
    with pytest.raises(StoreUnavailableError) as caught:
        space.entries()
    assert isinstance(caught.value.__cause__, apsw.IOError)
    failing.clear()
    assert len(space.entries()) == 1000


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a signal that comes at any moment")
def test_an_interrupt_at_any_moment_leaves_neither_a_transaction_nor_a_lock_behind(
    store: SqliteStore, space: Space, scale: Callable[[int], int]
) -> None:
    class Interrupted(BaseException):
        """As a KeyboardInterrupt is, but one that ends no test run."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    space.set("k", 0)
    gc.disable()  # what other tools do at a collection is not to be interrupted
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for number in range(scale(2000)):
            with suppress(Interrupted):
                signal.setitimer(signal.ITIMER_REAL, 0.0003 + number % 50 * 0.00002)
                for _ in range(50):  # Python may have to swallow it, in the finaliser of a generator
                    space.set("one", number)
                    space.run(p.SetMany(space.name, (("k", encode(number)),)))
            space.run(p.SetMany(space.name, (("k", encode(-number)),)))
            space.set("one", -number)
            assert (space.get("k"), space.get("one")) == (-number, -number)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    other = SqliteStore(store.path, timeout=1)
    assert other.run(p.Increment(space.name, "by another")) == 1
    other.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_forked_after_a_lock_came_too_late_does_not_keep_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "memory.db", timeout=0.2)
    space = Space(store.run)
    space.set("k", 1)
    holder = os.open(f"{store.path}-lock", os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(StoreBusyError):
        space.set("k", 2)
    waiting = next(thread for thread in threading.enumerate() if thread.name == "botwire-lock")
    asleep, wake = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(wake)
        os.read(asleep, 1)
        os._exit(0)
    try:
        fcntl.flock(holder, fcntl.LOCK_UN)
        waiting.join(10)
        assert space.set("k", 2) == 2
    finally:
        os.close(wake)
        os.close(asleep)
        os.close(holder)
        os.waitpid(child, 0)
        store.close()


def test_a_store_closed_by_what_an_import_reads_from_goes_on(space: Space, store: SqliteStore) -> None:
    def records() -> Iterator[Record]:
        yield Record("a", 1)
        store.close()
        yield Record("b", 2)

    assert space.run(p.Import(space.name, records())) == 2
    assert space.contents() == {"a": 1, "b": 2}


def test_a_file_that_was_removed_after_close_is_made_anew(store: SqliteStore, space: Space) -> None:
    space.set("k", 1)
    store.close()
    for file in Path(store.path).parent.glob("memory.db*"):
        file.unlink()
    assert space.get("k") is p.MISSING
    assert space.set("k", "new") == 1


def test_many_first_reads_of_an_event_loop_share_one_connection(store: SqliteStore, space: Space) -> None:
    space.set("k", 1)
    store.close()

    async def read_much() -> list[object]:
        return await asyncio.gather(*(store.arun(p.Get(space.name, "k")) for _ in range(200)))

    assert asyncio.run(read_much()) == [1] * 200
    assert len(store._connections._open) <= 3  # the loop's own, and those of two reading threads


def test_a_clock_that_is_ahead_elsewhere_moves_no_expiry_here(
    tmp_path: Path, store: SqliteStore, space: Space, clock: ManualClock
) -> None:
    ahead = ManualClock()
    ahead.advance(clock() - ahead() + 7200)
    other = SqliteStore(tmp_path / "memory.db", clock=ahead, monotonic=ahead)
    other.run(p.Set(space.name, "k", encode(0)))
    space.set("count", 5, ttl=3600)
    other.run(p.Set(space.name, "k", encode(1)))
    assert space.get("count") == 5
    assert space.increment("count") == 6
    for key in ("one", "many"):
        if key == "one":
            space.set(key, 1, ttl=60)
        else:
            space.run(p.SetMany(space.name, ((key, encode(1)),), ttl=60))
        entry = space.entry(key)
        assert entry.expires_at is not None
        assert entry.expires_at.timestamp() == pytest.approx(clock() + 60)
        assert entry.updated_at.timestamp() == pytest.approx(ahead())
    other.close()


def test_a_fork_that_is_dropped_while_it_is_looked_for_is_there_or_is_not(
    store: SqliteStore, space: Space, scale: Callable[[int], int]
) -> None:
    space.set("k", "parent's")
    other = SqliteStore(store.path)
    done = threading.Event()

    def read() -> set[object]:
        seen: set[object] = set()
        while not done.is_set():
            entry = other.run(p.GetEntry("fork", "k"))
            seen.add(entry and entry.value)
        return seen

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for _ in range(scale(500)):
                space.run(p.Fork(space.name, "fork"))
                space.beside("fork").set("k", "fork's")
                space.run(p.Drop("fork"))
        finally:
            done.set()
        seen = set.union(*(reader.result() for reader in readers))
    other.close()
    assert seen <= {"fork's", "parent's", None}


def test_versions_that_only_dropped_forks_needed_go_in_time(space: Space) -> None:
    for number in range(100):
        space.set("k", number)
        space.fork(f"fork{number}")
    for number in range(200):
        space.set("k", number)
    assert len(space.history("k")) > 100
    for number in range(100):
        assert space.beside(f"fork{number}").get("k") == number
        space.run(p.Drop(f"fork{number}"))
    for number in range(800):
        space.set("k", number)
    assert 64 <= len(space.history("k")) <= 64 + 16


def test_closing_again_and_again_fails_nobody_but_says_that_nothing_was_done(
    store: SqliteStore, space: Space, scale: Callable[[int], int]
) -> None:
    def work(key: str) -> int:
        told = 0
        for _ in range(scale(1000)):
            with suppress(StoreUnavailableError):
                space.increment(key)
                told += 1
        return told

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, f"k{number}") for number in range(4)]
        while not all(one.done() for one in working):
            store.close()
    for number, one in enumerate(working):
        assert (space.get(f"k{number}") or 0) == one.result()
