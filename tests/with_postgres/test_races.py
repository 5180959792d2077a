"""Two transactions at once that could each be right alone: what the second one has to wait for, or to see anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from with_postgres.installation import until
from with_postgres.invariants import broken, schema_of
from with_postgres.servers import Database

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.results import Retention
from botwire_core.testing import ManualClock
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url

Begin = Callable[..., "Future[Any]"]


@pytest.fixture
def url(fresh_schema: Callable[..., str], postgres: Database) -> Iterator[str]:
    """Of an empty store, whose tables are looked at in the end."""
    made = fresh_schema(pool=4)
    yield made
    assert broken(postgres, made) == {}


@pytest.fixture
def stores(url: str, clock: ManualClock) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """Two stores over one database, as two processes have them."""
    opened = open_url(url, clock=clock), open_url(url, clock=clock)
    yield opened
    for store in opened:
        store.close()


@pytest.fixture
def until_it_waits(postgres: Database) -> Callable[[Future[Any]], None]:
    """Waits until a call waits for a lock in the database, or has ended."""
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    def wait(call: Future[Any]) -> None:
        until(lambda: call.done() or bool(postgres.execute(waits)), "it to wait")

    return wait


def put(store: PostgresStore, name: str, key: str, *values: Any, **named: Any) -> int:
    for value in values:
        version = store.run(p.Set(name, key, encode(value), **named))
    return version


def test_a_set_that_waited_for_many_whose_first_rows_are_gone_already_comes_after_them(
    stores: tuple[PostgresStore, PostgresStore], begin: Begin, until_it_waits: Callable[[Future[Any]], None]
) -> None:
    one, other = stores
    one.run(p.SetRetention("space", Retention(1)))
    put(one, "space", "key", 0)
    put(other, "space", "other", 0)
    with one.grouped(["space"]):
        put(one, "space", "key", *range(1, 20))
        last = begin(put, other, "space", "key", "last")
        until_it_waits(last)
    assert last.result(30) == 21
    assert one.run(p.Get("space", "key")) == "last"
    assert [entry.version for entry in one.run(p.GetHistory("space", "key"))][:2] == [21, 20]


def test_the_last_two_forks_of_a_dropped_namespace_go_at_once_and_take_it_with_them(
    stores: tuple[PostgresStore, PostgresStore],
    begin: Begin,
    until_it_waits: Callable[[Future[Any]], None],
    url: str,
    postgres: Database,
) -> None:
    one, other = stores
    put(one, "base", "key", 1)
    for fork in ("a", "b"):
        one.run(p.Fork("base", fork))
    one.run(p.Drop("base"))
    with one.grouped():
        assert one.run(p.Drop("a"))
        gone = begin(other.run, p.Drop("b"))
        until_it_waits(gone)
    assert gone.result(30)
    assert postgres.execute(f"SELECT count(*) FROM {schema_of(url)}.spaces") == [(0,)]


def test_a_namespace_and_its_only_fork_are_dropped_at_once(
    stores: tuple[PostgresStore, PostgresStore],
    begin: Begin,
    until_it_waits: Callable[[Future[Any]], None],
    url: str,
    postgres: Database,
) -> None:
    one, other = stores
    put(one, "base", "key", 1)
    one.run(p.Fork("base", "fork"))
    with one.grouped():
        assert one.run(p.Drop("fork"))
        gone = begin(other.run, p.Drop("base"))
        until_it_waits(gone)
    assert gone.result(30)
    assert postgres.execute(f"SELECT count(*) FROM {schema_of(url)}.versions") == [(0,)]


def test_what_a_new_fork_of_an_old_moment_needs_is_not_pruned_while_it_is_made(
    stores: tuple[PostgresStore, PostgresStore], begin: Begin, until_it_waits: Callable[[Future[Any]], None]
) -> None:
    one, other = stores
    put(one, "base", "key", *range(1, 15))
    one.run(p.Fork("base", "fork"))
    one.run(p.SetRetention("base", Retention(1)))
    with one.grouped():
        one.run(p.Fork("fork", "old", at=1))  # a fork of the base, at a moment of the base
        more = begin(put, other, "base", "key", *range(15, 20))
        until_it_waits(more)
    assert more.result(30) == 19
    assert one.run(p.Get("old", "key")) == 1


def test_what_expired_at_one_moment_is_all_taken_off_the_disk(
    stores: tuple[PostgresStore, PostgresStore], clock: ManualClock, url: str, postgres: Database
) -> None:
    store = stores[0]
    store.run(p.SetRetention("space", Retention(1, 10)))
    store.run(p.SetMany("space", tuple((f"key {i}", encode("XYZZY")) for i in range(1100)), 5))
    clock.advance(5)
    assert store.sweep() == 1100
    clock.advance(10)
    assert store.sweep() == 1100
    assert postgres.execute(f"SELECT count(*) FROM {schema_of(url)}.versions") == [(0,)]


@pytest.mark.parametrize("code", ["40001", "57014", "XX000"])
def test_a_set_is_done_once_though_old_versions_cannot_be_let_go_after_it(
    stores: tuple[PostgresStore, PostgresStore], url: str, postgres: Database, code: str
) -> None:
    one, other = stores
    put(one, "space", "key", *range(1, 15))
    one.run(p.SetRetention("space", Retention(1)))
    schema = schema_of(url)
    postgres.execute(
        f"CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END $$"
    )
    postgres.execute(f"CREATE TRIGGER refuse BEFORE DELETE ON {schema}.versions EXECUTE FUNCTION {schema}.refuse()")
    assert put(one, "space", "key", 15, 16) == 16
    assert put(other, "space", "key", *range(17, 33)) == 32
    assert [entry.version for entry in one.run(p.GetHistory("space", "key"))] == list(range(32, 0, -1))


def test_nothing_of_a_merge_is_left_once_its_source_is_gone(stores: tuple[PostgresStore, PostgresStore]) -> None:
    store = stores[0]
    put(store, "base", "key", 1, 2, 3)
    store.run(p.Fork("base", "fork"))
    put(store, "fork", "key", 4)
    store.run(p.Drop("base"))
    store.run(p.Merge("target", "fork", 2))  # at a moment of the base, which has no name any more
    assert store.run(p.Get("target", "key")) == 2
    store.run(p.Drop("fork"))


def test_a_list_beside_drops_never_shows_what_only_a_fork_still_needs(
    stores: tuple[PostgresStore, PostgresStore], begin: Begin, scale: Callable[[int], int]
) -> None:
    """The space that a list has found can be gone when its keys are looked for, up to where its forks start."""
    one, other = stores
    stop = threading.Event()

    def look() -> list[set[Any]]:
        seen: list[set[Any]] = []
        while not stop.is_set():
            seen.append({entry.value for entry in other.run(p.ListEntries("space", limit=10))})
        return [values for values in seen if values]

    looking = [begin(look) for _ in range(3)]
    try:
        for number in range(0, 2 * scale(1000), 2):
            for value in (number, number + 1):
                one.run(p.SetMany("space", tuple((key, encode(value)) for key in "abcde")))
                if value == number:
                    one.run(p.Fork("space", f"fork-{number}"))
            one.run(p.Drop("space"))
            one.run(p.Drop(f"fork-{number - 2}"))
    finally:
        stop.set()
    for call in looking:
        seen = call.result(30)
        assert all(len(values) == 1 for values in seen), "of two moments"
        numbers = [min(values) for values in seen]
        assert numbers == sorted(numbers)
