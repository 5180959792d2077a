"""A server over a store of its own, for each module of tests, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from botwire_core.stores.sqlite import SqliteStore
from botwire_server.testing import served


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path_factory.mktemp("server") / "memory.db", durability="normal")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def url(store: SqliteStore) -> Iterator[str]:
    with served(store) as found:
        yield found


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=20) as opened:
        yield opened


@pytest.fixture
def space(request: pytest.FixtureRequest) -> str:
    """A namespace that no other test of the module has."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[:200]
