"""P7: a pooler that gives each transaction to another session of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4
from zlib import crc32

import pytest
from with_postgres.installation import Installation
from with_postgres.pooler import OWN_PROGRAM, Pooler, program_of_pooler
from with_postgres.servers import Database

from botwire_core.codec import encode
from botwire_core.memory import Memory
from botwire_core.protocol import Get, Increment, Set
from botwire_core.store import Store
from botwire_core.testing import HistoryContract, ManualClock, ServiceContract
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url

Run = Any  # `Running` of conftest

SESSIONS = 2  # of the pooler with the server
CLIENTS = 20
ROUNDS = 100
PREPARED = "SELECT count(*) FROM pg_prepared_statements"


@pytest.fixture(scope="module")
def pooler(postgres: Database, postgres_installation: Installation) -> Iterator[Pooler]:
    if program_of_pooler() is None:
        pytest.skip(f"skipped: there is no pgbouncer on the path, and {OWN_PROGRAM} names none")
    with Pooler(postgres_installation, postgres.server, size=SESSIONS) as pooler:
        yield pooler


@pytest.fixture
def pooled(postgres: Database, pooler: Pooler, fresh_schema: Callable[[], str]) -> Callable[..., str]:
    """Gives the URL of an empty store behind the pooler."""
    return lambda **options: pooler.url(postgres.name, schema=fresh_schema().rpartition("=")[2], **options)


class BehindPooler:
    @pytest.fixture
    def store(self, request: pytest.FixtureRequest, pooled: Callable[..., str], clock: ManualClock) -> Iterator[Store]:
        if not request.config.getoption("--deep") and crc32(request.node.nodeid.encode()) % 10:
            pytest.skip("behind a pooler a tenth of them is run, and all of them with --deep")
        store = open_url(pooled(), clock=clock)
        yield store
        asyncio.run(store.aclose())


class TestP7TheStoreWithItsPast(BehindPooler, HistoryContract):
    pass


class TestP7TheStoreAsAServerUsesIt(BehindPooler, ServiceContract):
    pass


def use(memory: Memory, who: int, rounds: int) -> None:
    """Do a little of everything, each step in a transaction of its own kind."""
    for number in range(rounds):
        memory.increment("total")
        memory.set(f"{who}/{number % 7}", {"number": number})
        assert memory.get(f"{who}/{number % 7}") == {"number": number}
        memory.append(f"log {who}", number)
        with memory.transaction() as together:
            together.set(f"{who}/last", number)
            together.increment("total")
        assert memory.get_many([f"{who}/last", "none"]) == {f"{who}/last": number}
        if number % 10 == 0:
            fork = memory.fork(f"fork-{uuid4().hex}")
            assert fork.get(f"{who}/last") == number
            assert len(fork.list_keys(f"{who}/")) == min(number + 1, 7) + 1


@pytest.mark.parametrize("colour", ["run", "arun"])
def test_p7_many_clients_of_few_sessions_see_no_state_that_others_left(
    pooled: Callable[..., str], scale: Callable[[int], int], colour: str
) -> None:
    rounds = scale(ROUNDS)
    url = pooled(pool=CLIENTS)

    async def count(store: PostgresStore) -> None:
        async def one() -> None:
            for _ in range(2 * rounds):
                await store.arun(Increment("space", "total"))

        await asyncio.gather(*(one() for _ in range(CLIENTS)))
        await store.aclose()

    with closing(open_url(url)) as store:
        if colour == "arun":
            asyncio.run(count(store))
        else:
            with ThreadPoolExecutor(CLIENTS) as threads:
                for done in [threads.submit(use, Memory("space", store=store), who, rounds) for who in range(CLIENTS)]:
                    done.result(120)
        assert store.run(Get("space", "total")) == 2 * rounds * CLIENTS


def test_p7_statements_are_prepared_where_no_pooler_is_in_between_and_only_there(
    postgres: Database, start_pooler: Callable[..., Pooler], fresh_schema: Callable[..., str], run: Run
) -> None:
    pooler = start_pooler(postgres.server)  # of its own: a session has what any client has prepared
    pooled = pooler.url(postgres.name, schema=fresh_schema().rpartition("=")[2])
    for url, prepares in ((fresh_schema(), True), (fresh_schema(prepared="off"), False), (pooled, False)):
        store = open_url(url)
        for number in range(1, 20):
            assert run(store, Set("space", "key", encode(number))) == number
            assert run(store, Get("space", "key")) == number
        assert (run.look(store, PREPARED)[0][0] > 0) is prepares, url
        store.close()


def test_p7_who_prepares_all_the_same_goes_on_without(pooled: Callable[..., str], run: Run) -> None:
    url = pooled(prepared="on", pool=CLIENTS)
    stores = [open_url(url) for _ in range(2)]
    for number in range(1, 20):
        for store in stores:
            run(store, Increment("space", "n"))
            run(store, Set("space", "key", encode(number)))
            assert run(store, Get("space", "key")) == number
    assert run(stores[0], Get("space", "n")) == 38
    for store in stores:
        store.close()
