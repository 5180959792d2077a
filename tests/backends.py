"""Fixtures: an empty memory on each backend, a file and a server, for everything that a framework is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from botwire import Memory
from botwire_core.stores.sqlite import SqliteStore

BACKENDS = ["sqlite", "http"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server in this process; a test keeps to namespaces of its own."""
    from botwire_server.testing import served  # here, since the tests of one framework run without the extra

    store = SqliteStore(tmp_path_factory.mktemp("server") / "memory.db", durability="normal")
    with served(store) as url:
        yield url
    store.close()


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store is, one for each backend."""
    if request.param == "http":
        return str(request.getfixturevalue("server"))
    return f"sqlite:///{tmp_path / 'memory.db'}"


@pytest.fixture
def memory(url: str) -> Iterator[Memory]:
    with Memory(f"test-{uuid4().hex}", url) as memory:
        yield memory
