"""P6, P20: more callers than connections, and a network that lets nothing through; every call ends in time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import Any

import httpx
import pytest
from with_postgres.cutter import Cutter
from with_postgres.installation import until
from with_postgres.servers import Database
from with_postgres.sessions import lock_of, other_session, somebody_waits

from botwire_core.codec import encode
from botwire_core.errors import BotWireError, CommitUnknownError, StoreBusyError, StoreUnavailableError
from botwire_core.protocol import Append, Get, ListKeys, Op, Set
from botwire_core.store import Store
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url
from botwire_server.testing import served

Run = Any  # `Running` of conftest
Begin = Callable[..., "Future[Any]"]

TIMEOUT = 0.5  # seconds
# Until a connection is cut that does not listen to a request to stop; the rest is for a machine that has much to do.
PATIENCE = 2.0 + 1.5
CLIENTS = 200
GET = Get("space", "key")


@pytest.fixture
def line(postgres: Database) -> Iterator[Cutter]:
    with Cutter(postgres.server) as line:
        yield line
        line.release()


def opened(
    line: Cutter, postgres: Database, schema_url: str, pool: int = 10, timeout: float = TIMEOUT
) -> PostgresStore:
    """A store over a line, with its tables and one value."""
    schema = schema_url.rpartition("=")[2]
    patient = open_url(schema_url)
    patient.run(Set("space", "key", encode(1)))
    patient.close()
    return open_url(line.url(postgres.name, schema=schema, pool=pool), timeout=timeout)


def all_at_once(colour: str, store: Store, op: Op[Any], count: int) -> tuple[Counter[Any], list[float]]:
    """Run an op so often at the same time; how often each result or class of error came, and the seconds of each."""
    seen: Counter[Any] = Counter()
    waited: list[float] = []

    def note(began: float, result: Any) -> None:
        waited.append(time.monotonic() - began)
        seen[type(result) if isinstance(result, BotWireError) else result] += 1

    def work() -> None:
        began = time.monotonic()
        try:
            note(began, store.run(op))
        except BotWireError as error:
            note(began, error)

    async def awork() -> None:
        began = time.monotonic()
        try:
            note(began, await store.arun(op))
        except BotWireError as error:
            note(began, error)

    async def all_of_them() -> None:
        await asyncio.gather(*(awork() for _ in range(count)))
        await store.aclose()

    if colour == "arun":
        asyncio.run(all_of_them())
    else:
        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len(waited) == count, "a call hangs"
    return seen, waited


@pytest.mark.parametrize("colour", ["run", "arun"])
def test_p6_two_hundred_callers_of_a_pool_of_two_end_in_time_and_all_go_on_afterwards(
    postgres: Database, line: Cutter, fresh_schema: Callable[[], str], colour: str
) -> None:
    store = opened(line, postgres, fresh_schema(), pool=2)
    until(lambda: all_at_once(colour, store, GET, CLIENTS)[0] == {1: CLIENTS}, "all are served in time")
    assert line.connections < 20, "they share two, apart from those that look why there is none"
    line.hold()
    seen, waited = all_at_once(colour, store, GET, CLIENTS)
    assert set(seen) <= {StoreBusyError, StoreUnavailableError}
    assert max(waited) < TIMEOUT + PATIENCE
    line.release()
    until(lambda: all_at_once(colour, store, GET, CLIENTS)[0] == {1: CLIENTS}, "the pool has recovered")
    store.close()


@pytest.mark.parametrize("colour", ["run", "arun"])
def test_p6_who_comes_when_too_many_wait_is_refused_at_once(
    postgres: Database, line: Cutter, fresh_schema: Callable[[], str], colour: str
) -> None:
    store = opened(line, postgres, fresh_schema(), pool=1)
    assert all_at_once(colour, store, GET, 1)[0] == {1: 1}
    line.hold()
    seen, waited = all_at_once(colour, store, GET, CLIENTS)
    assert sum(seen.values()) == CLIENTS
    assert sum(seconds < TIMEOUT / 2 for seconds in waited) >= CLIENTS - 101 - 1, "a hundred may wait for a connection"
    store.close()


def test_p6_clients_of_a_server_whose_pool_is_exhausted_are_told_503_and_served_afterwards(
    postgres: Database, line: Cutter, fresh_schema: Callable[[], str]
) -> None:
    async def get_all(url: str) -> Counter[tuple[int, str | None]]:
        limits = httpx.Limits(max_connections=CLIENTS)
        async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
            replies = await asyncio.gather(*(client.get("/memory/space/key") for _ in range(CLIENTS)))
        return Counter((reply.status_code, reply.json().get("code")) for reply in replies)

    # Clients, server and line share one interpreter here: to serve them all takes longer than the others wait.
    store = opened(line, postgres, fresh_schema(), pool=2, timeout=6.0)
    with closing(store), served(store) as url:
        until(lambda: asyncio.run(get_all(url)) == {(200, None): CLIENTS}, "all are served in time")
        line.hold()
        seen = asyncio.run(get_all(url))
        assert set(seen) <= {(503, "store_busy"), (503, "store_unavailable")}
        line.release()
        until(lambda: asyncio.run(get_all(url)) == {(200, None): CLIENTS}, "the pool has recovered")


class TestStalled:
    def refused(self, run: Run, store: Store, op: Op[Any]) -> BotWireError:
        """The error in which an op ends, within its time."""
        began = time.monotonic()
        with pytest.raises(BotWireError) as caught:
            run(store, op)
        assert TIMEOUT <= time.monotonic() - began < TIMEOUT + PATIENCE
        return caught.value

    def goes_on(self, run: Run, line: Cutter, store: Store) -> None:
        line.release()

        def done() -> bool:
            try:
                return run(store, Set("space", "key", encode(5))) > 0
            except StoreUnavailableError:
                return False

        until(done, "the store goes on")
        assert run(store, GET) == 5

    @pytest.mark.parametrize("op", [GET, ListKeys("space"), Append("space", "log", (encode(1),))], ids=repr)
    def test_p20_what_was_not_committed_ends_as_not_done(
        self, postgres: Database, line: Cutter, fresh_schema: Callable[[], str], op: Op[Any], run: Run
    ) -> None:
        store = opened(line, postgres, fresh_schema())
        assert run(store, GET) == 1
        line.hold()
        assert isinstance(self.refused(run, store, op), StoreUnavailableError)
        self.goes_on(run, line, store)
        assert run(store, ListKeys("space")) == ["key"]
        store.close()

    @pytest.mark.parametrize("requests", [False, True])
    def test_p20_a_set_that_was_sent_ends_as_unknown(
        self, postgres: Database, line: Cutter, fresh_schema: Callable[[], str], requests: bool, run: Run
    ) -> None:
        store = opened(line, postgres, url := fresh_schema())
        assert run(store, GET) == 1
        line.hold(requests=requests)
        assert isinstance(self.refused(run, store, Set("space", "key", encode(2))), CommitUnknownError)
        with closing(open_url(url)) as direct:
            assert direct.run(GET) == (1 if requests else 2)
        self.goes_on(run, line, store)
        store.close()

    def test_p20_a_store_that_never_reached_its_server_says_so_in_time(
        self, postgres: Database, line: Cutter, fresh_schema: Callable[[], str], run: Run
    ) -> None:
        store = opened(line, postgres, fresh_schema())
        line.hold()
        for op in (GET, Set("space", "key", encode(2))):
            assert isinstance(self.refused(run, store, op), StoreUnavailableError)
        self.goes_on(run, line, store)
        store.close()

    def test_p20_a_lock_that_was_waited_for_over_a_line_that_stalls_ends_in_time(
        self, postgres: Database, line: Cutter, fresh_schema: Callable[[], str], run: Run, begin: Begin
    ) -> None:
        store = opened(line, postgres, url := fresh_schema())
        assert run(store, GET) == 1
        with other_session(postgres) as other:
            other.execute(lock_of(url, "space"))
            written = begin(self.refused, run, store, Append("space", "log", (encode(1),)))
            until(lambda: somebody_waits(postgres), "the store waits")
            line.hold()
            assert isinstance(written.result(20), StoreUnavailableError)
        self.goes_on(run, line, store)
        store.close()

    def test_p20_an_event_loop_ends_in_time_though_connections_are_still_being_made(
        self, postgres: Database, line: Cutter, fresh_schema: Callable[[], str]
    ) -> None:
        store = opened(line, postgres, fresh_schema())

        async def use() -> None:
            assert await store.arun(GET) == 1
            line.hold()
            with pytest.raises(StoreUnavailableError):
                await store.arun(GET)

        began = time.monotonic()
        thread = threading.Thread(target=lambda: asyncio.run(use()), daemon=True)
        thread.start()
        thread.join(TIMEOUT + PATIENCE)
        assert not thread.is_alive(), "it waits for a pool that nobody needs any more"
        assert time.monotonic() - began > TIMEOUT
        line.release()
        store.close()
