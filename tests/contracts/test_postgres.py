"""`PostgresStore` keeps the contracts, directly and behind the HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from zlib import crc32

import pytest
from contracts.reserving import ReservedRowsContract
from contracts.test_http import over_http

from botwire_core.store import Store
from botwire_core.testing import HistoryContract, ManualClock, ServiceContract, StoreContract
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url


@pytest.fixture
def postgres_store(fresh_schema: Callable[..., str], clock: ManualClock) -> Iterator[PostgresStore]:
    """A store that starts empty, by the clock of the test."""
    store = open_url(fresh_schema(), clock=clock)
    yield store
    asyncio.run(store.aclose())


class Direct:
    @pytest.fixture
    def store(self, postgres_store: PostgresStore) -> Store:
        return postgres_store


class OverHttp:
    @pytest.fixture
    def store(self, request: pytest.FixtureRequest) -> Iterator[Store]:
        if not request.config.getoption("--deep") and crc32(request.node.nodeid.encode()) % 10:
            pytest.skip("over HTTP a tenth of them is run, and all of them with --deep")
        with over_http(request.getfixturevalue("postgres_store")) as store:
            yield store


class TestPostgresStore(Direct, StoreContract):
    pass


class TestPostgresStoreWithItsPast(Direct, HistoryContract):
    pass


class TestPostgresStoreAsAServerUsesIt(Direct, ServiceContract):
    pass


class TestReservedRowsInPostgres(Direct, ReservedRowsContract):
    pass


class TestHttpStoreOverPostgres(OverHttp, StoreContract):
    pass


class TestHttpStoreOverPostgresWithItsPast(OverHttp, HistoryContract):
    pass
