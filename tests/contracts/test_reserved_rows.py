"""The rows that a store keeps for itself, in a space and in a table of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from contracts.plain_rows import PlainRowsStore
from contracts.reserving import ReservedRowsContract

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.scopes.ops import (
    FindScoped,
    ForgetScoped,
    ForkScoped,
    ListScoped,
    OpenScoped,
    ReadUses,
    RecordUses,
    Use,
)
from botwire_core.scopes.scope import Scope
from botwire_core.service import (
    REPLAY_SECONDS,
    CreateToken,
    Grant,
    Quota,
    Request,
    RevokeToken,
    Serve,
    TouchToken,
)
from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.stores.history import HistoryStoreBase
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock, ServiceContract


class TestReservedRowsInMemory(ReservedRowsContract):
    @pytest.fixture
    def store(self, clock: ManualClock) -> HistoryStoreBase:
        return DictStore(clock=clock)


class TestReservedRowsInAFile(ReservedRowsContract):
    @pytest.fixture
    def store(self, tmp_path: Path, clock: ManualClock) -> Iterator[HistoryStoreBase]:
        store = SqliteStore(tmp_path / "memory.db", clock=clock, monotonic=clock)
        yield store
        store.close()


class TestReservedRowsInATableOfTheirOwn(ReservedRowsContract):
    @pytest.fixture
    def store(self, clock: ManualClock) -> HistoryStoreBase:
        return PlainRowsStore(clock=clock)


class TestAStoreWithATableOfItsOwnAsAServerUsesIt(ServiceContract):
    @pytest.fixture
    def store(self, clock: ManualClock) -> Store:
        return PlainRowsStore(clock=clock)


def request(*ops: p.Op[Any], key: str | None = None, quota: Quota | None = None) -> Request:
    return Request(ops, False, "ann", key, sha256(repr(ops).encode()).digest(), quota)


def test_a_group_loads_every_row_that_its_requests_ask_for() -> None:
    store = PlainRowsStore()
    for name in ("old", "dropped"):
        store.run(p.Set(name, "k", encode(1)))
    store.run(p.Fork("old", "fork"))
    quota = Quota(writes_per_day=100, bytes=10_000, forks=5)
    group = Serve(
        (
            request(p.Set("new", "k", encode(1)), key="1", quota=quota),
            request(p.Set("fork", "k", encode(1)), p.Fork("old", "other"), key="2", quota=quota),
            request(p.Get("old", "k"), p.Increment("fork", "n"), key="3", quota=quota),
            request(p.Merge("old", "fork"), quota=quota),
            request(p.Set("/bad/", "k", encode(1)), key="4", quota=quota),
        )
    )
    for replayed in (False, True):
        replies = store.run(group)
        assert [reply.replayed for reply in replies] == [replayed] * 3 + [False] * 2
        assert store.asked == []
    accounts = {key for key in store.tables[".quotas"] if not key.startswith("#")}
    assert accounts == {"new", "old"}


def test_a_group_tells_the_namespaces_of_the_requests_that_write() -> None:
    store = PlainRowsStore()
    store.run(p.Set("from", "k", encode(1)))
    store.run(
        Serve(
            (
                request(p.Set("one", "k", encode(1)), p.Set(".tokens", "k", encode(1))),
                request(p.Get("looked-at", "k"), p.Increment("two", "n"), key="1"),
                request(p.Get("only-read", "k"), p.Compare("read", "too")),
                request(p.Fork("from", "fork"), p.Merge("into", "from")),
            )
        )
    )
    assert store.named == {"one", "looked-at", "two", "from", "fork", "into"}


def test_two_expired_answers_leave_for_each_that_comes(clock: ManualClock) -> None:
    store = PlainRowsStore(clock=clock)
    store.run(Serve(tuple(request(p.Increment("space", "n"), key=f"old-{turn}") for turn in range(6))))
    clock.advance(REPLAY_SECONDS)
    for turn, left in enumerate((4 + 1, 2 + 2, 0 + 3, 4)):
        store.run(Serve((request(p.Increment("space", "n"), key=f"new-{turn}"),)))
        assert len(store.tables[".replays"]) == left


def test_whoever_changes_a_token_or_a_scope_loads_it_first() -> None:
    store = PlainRowsStore()
    token = store.run(CreateToken(sha256(b"one").digest(), (Grant("*", frozenset({"read"})),)))
    for op in (TouchToken(token.id), RevokeToken(token.id)):
        store.loaded.clear()
        store.run(op)
        assert store.loaded == {(".tokens", token.id)}
    work_in_scopes(store)
    assert store.asked == []


def test_whoever_lets_go_of_a_pin_loads_it_before_looking_for_others_that_have_it() -> None:
    store = PlainRowsStore()
    opened = store.run(OpenScoped("base", "base@v~r", Scope("v", run_id="r"), "run", "group"))
    store.loaded.clear()
    store.run(ForgetScoped("base", (opened.name,)))
    assert store.loaded == {(".scopes", f"name/{opened.name}"), (".scopes", f"pin/{opened.pin}")}


def work_in_scopes(store: Store) -> list[Any]:
    """Everything that scopes ask of a store, without the moments at which it was done."""
    store.run(p.Set("base", "k", encode(1)))
    scopes = [Scope("v1", run_id="r"), Scope("v2", run_id="r")]
    names = ["base@v1~r", "base@v2~r"]
    opened = [
        store.run(OpenScoped("base", name, scope, "run", "group", ttl=3600.0))
        for name, scope in zip(names, scopes, strict=True)
    ]
    store.run(p.Set(names[0], "k", encode(2)))
    store.run(ForkScoped("base", names[0], "base@v1~r-copy", scopes[0], "run", ttl=60.0))
    uses = tuple(Use(name, "k", "write", n, 0, 0, 1.0, 2.0) for n, name in enumerate((*names, "base", names[0])))
    store.run(RecordUses("base", uses))
    found = [
        [(one.name, one.pin, one.seed_revision) for one in (*opened, *store.run(ListScoped("base")))],
        [[use.count for use in store.run(ReadUses(name))] for name in names],
        [one.label for one in store.run(p.ListSnapshots("base"))],
        store.run(ForgetScoped("base", (names[0], "unknown"))),
        [one.label for one in store.run(p.ListSnapshots("base"))],
        store.run(ForgetScoped("base", (names[1], "base@v1~r-copy"))),
        [store.run(FindScoped(name)) for name in names],
        [store.run(ReadUses(name)) for name in names],
        [one.label for one in store.run(p.ListSnapshots("base"))],
        [one.name for one in store.run(p.ListNamespaces())],
    ]
    assert found[5] == 2
    return found


def test_scopes_are_the_same_wherever_their_rows_stand() -> None:
    assert work_in_scopes(PlainRowsStore()) == work_in_scopes(DictStore())


def test_an_embedded_purge_loads_nothing_of_what_is_kept_for_retries(tmp_path: Path) -> None:
    work = (
        "import sys\n"
        "from botwire import Memory\n"
        f"memory = Memory('space', 'sqlite:///{tmp_path}/memory.db')\n"
        "memory.set('k', 1)\n"
        "assert memory.get('k') == 1\n"
        "print('botwire_core.stores.reserved_spaces' in sys.modules)\n"
        "memory.purge('k')\n"
        "print('botwire_core.stores.replays' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", work], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]
