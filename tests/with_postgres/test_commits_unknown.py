"""P2, P3, P4: what is told of a commit that never ended, or whose end nobody heard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from with_postgres.clusters import Cluster
from with_postgres.cutter import Cutter
from with_postgres.installation import Installation, until
from with_postgres.servers import Database

from botwire_core.codec import encode
from botwire_core.errors import CommitUnknownError
from botwire_core.protocol import Append, Get, Op, Set, Transact
from botwire_core.service import Request, Serve
from botwire_core.store import Store
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url

Run = Callable[[Store, Op[Any]], Any]
Begin = Callable[..., "Future[Any]"]

pytestmark = pytest.mark.xdist_group("commits without an answer")

TIMEOUT = 0.5  # seconds
TWO = encode(2)
WRITES: dict[str, tuple[Op[Any], str]] = {
    "a statement": (Set("space", "key", TWO), "INSERT"),
    "a transaction": (Transact("space", (Set("space", "key", TWO), Append("space", "log", (TWO,)))), "COMMIT"),
    "a group of requests": (
        Serve((Request((Set("space", "key", TWO),), replay_key="k", digest=bytes(32)),)),
        "COMMIT",
    ),
}
LONELY = {"synchronous_standby_names": "nobody", "synchronous_commit": "local"}
WAITS = "-c synchronous_commit=on"


@pytest.fixture(params=WRITES)
def write(request: pytest.FixtureRequest) -> tuple[Op[Any], str]:
    """An op that sets `key` to 2, and what the server says of its commit."""
    return WRITES[request.param]


@pytest.fixture(scope="module")
def lonely(postgres_installation: Installation) -> Iterator[Cluster]:
    """A server that waits for a standby that is not there, at each commit of those who want it."""
    cluster = Cluster(postgres_installation, "lonely", settings=LONELY)
    try:
        yield cluster.start()
    finally:
        cluster.remove()


@pytest.fixture
def waiting(lonely: Cluster) -> Callable[..., PostgresStore]:
    """Opens a store on that server, where `key` is 1, and everybody has looked at it."""
    lonely.execute("DROP SCHEMA IF EXISTS botwire CASCADE")
    alone = open_url(lonely.url())
    alone.run(Set("space", "key", encode(1)))
    alone.close()
    return lambda timeout: open_url(lonely.url(options=WAITS), timeout=timeout)


def over(line: Cutter, postgres: Database, fresh_schema: Callable[[], str]) -> str:
    """The URL of an empty store, over a line."""
    return line.url(postgres.name, schema=fresh_schema().rpartition("=")[2])


def waits_for_standby(lonely: Cluster) -> int:
    """The process of the one session that waits, once there is one."""
    found: list[Any] = []

    def look() -> bool:
        found[:] = lonely.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        return bool(found)

    until(look, "a commit waits for the standby")
    return int(found[0][0])


def test_p2_a_commit_that_waits_for_a_standby_ends_at_our_deadline_as_unknown(
    lonely: Cluster, waiting: Callable[..., PostgresStore], write: tuple[Op[Any], str], run: Run
) -> None:
    store = waiting(TIMEOUT)
    assert run(store, Get("space", "key")) == 1
    began = time.monotonic()
    with pytest.raises(CommitUnknownError, match="standby"):
        run(store, write[0])
    assert TIMEOUT <= time.monotonic() - began < TIMEOUT + 1.5
    assert run(store, Get("space", "key")) == 2, "control: it was done here, and a success would have been a lie"
    store.close()


@pytest.mark.parametrize("way", ["pg_cancel_backend", "pg_terminate_backend"])
def test_p3_who_ends_the_wait_for_a_standby_makes_no_success_of_it(
    lonely: Cluster,
    waiting: Callable[..., PostgresStore],
    write: tuple[Op[Any], str],
    way: str,
    run: Run,
    begin: Begin,
) -> None:
    store = waiting(30)
    assert run(store, Get("space", "key")) == 1
    written = begin(run, store, write[0])
    lonely.execute(f"SELECT {way}(%s)", [waits_for_standby(lonely)])
    with pytest.raises(CommitUnknownError):
        written.result(20)
    assert run(store, Get("space", "key")) == 2
    store.close()


def test_p3_control_what_nobody_waits_for_is_a_success(lonely: Cluster, waiting: Callable[..., PostgresStore]) -> None:
    waiting(TIMEOUT)
    store = open_url(lonely.url(), timeout=TIMEOUT)
    for op, _ in WRITES.values():
        store.run(op)
    store.close()


def test_p4_a_commit_whose_reply_is_lost_is_unknown_and_was_done(
    postgres: Database, fresh_schema: Callable[[], str], write: tuple[Op[Any], str], run: Run
) -> None:
    with Cutter(postgres.server) as line:
        store = open_url(over(line, postgres, fresh_schema))
        run(store, Set("space", "key", encode(1)))
        lost = line.lose_reply(write[1])
        if write[1] == "COMMIT":
            assert run(store, Get("space", "key")) == 1
        with pytest.raises(CommitUnknownError):
            run(store, write[0])
        assert lost.is_set()
        assert run(store, Get("space", "key")) == 2
        store.close()


def test_p4_a_commit_that_is_lost_on_its_way_is_unknown_and_was_not_done(
    postgres: Database, fresh_schema: Callable[[], str], write: tuple[Op[Any], str], run: Run
) -> None:
    with Cutter(postgres.server) as line:
        store = open_url(over(line, postgres, fresh_schema))
        run(store, Set("space", "key", encode(1)))
        lost = line.lose_request("COMMIT\0" if write[1] == "COMMIT" else "INSERT INTO")
        with pytest.raises(CommitUnknownError):
            run(store, write[0])
        assert lost.is_set()
        assert run(store, Get("space", "key")) == 1
        store.close()


def test_p4_what_is_lost_before_the_commit_is_done_again_and_once(
    postgres: Database, fresh_schema: Callable[[], str], run: Run
) -> None:
    with Cutter(postgres.server) as line:
        store = open_url(over(line, postgres, fresh_schema))
        run(store, Append("space", "log", (TWO,)))
        for lose in (line.lose_request, line.lose_reply):
            lost = lose("INSERT")
            assert run(store, Append("space", "log", (TWO, TWO)))
            assert lost.is_set()
        found = run(store, Serve((Request((Get("space", "log/" + "0" * 18 + "5"),)),)))
        assert found[0].outcomes[0].result is not None
        store.close()
