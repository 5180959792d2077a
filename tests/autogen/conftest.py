"""An empty memory on each backend, for everything that AutoGen is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from botwire import Memory
from botwire_core.stores.sqlite import SqliteStore
from botwire_server.testing import served

BACKENDS = ["sqlite", "http"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server in this process; a test keeps to namespaces of its own."""
    store = SqliteStore(tmp_path_factory.mktemp("server") / "memory.db", durability="normal")
    with served(store) as url:
        yield url
    store.close()


@pytest.fixture
def url_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Gives the URL of a backend."""

    def url_of(backend: str) -> str:
        if backend == "http":
            return str(request.getfixturevalue("server"))
        return f"sqlite:///{tmp_path / 'memory.db'}"

    return url_of


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> str:
    """Where a store is, one for each backend."""
    return url_of(request.param)


@pytest.fixture
def memory(url: str) -> Iterator[Memory]:
    with Memory(f"test-{uuid4().hex}", url) as memory:
        yield memory
