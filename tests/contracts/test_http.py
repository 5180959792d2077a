"""`HttpStore` keeps the contracts, whichever store its server is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.stores.http import HttpStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import HistoryContract, ManualClock, StoreContract
from botwire_server.config import ServerConfig
from botwire_server.testing import served


@contextmanager
def over_http(store: Store) -> Iterator[HttpStore]:
    """A store that is served, as its clients see it."""
    with served(store, ServerConfig(log_requests=False)) as url:
        client = HttpStore(url)
        yield client
        client.close()
    store.close()


class OverADict:
    @pytest.fixture
    def store(self, clock: ManualClock, request: pytest.FixtureRequest) -> Iterator[Store]:
        if not request.config.getoption("--deep"):
            pytest.skip("the same over a file is enough, but with --deep")
        with over_http(DictStore(clock=clock)) as store:
            yield store


class OverAFile:
    @pytest.fixture
    def store(self, tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
        with over_http(SqliteStore(tmp_path / "memory.db", clock=clock)) as store:
            yield store


class TestHttpStoreOverADict(OverADict, StoreContract):
    pass


class TestHttpStoreOverADictWithItsPast(OverADict, HistoryContract):
    pass


class TestHttpStoreOverAFile(OverAFile, StoreContract):
    pass


class TestHttpStoreOverAFileWithItsPast(OverAFile, HistoryContract):
    pass
