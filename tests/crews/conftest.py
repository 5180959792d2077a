"""CrewAI held in: nothing goes to its makers, nothing is written outside of the test; and a memory on each backend.

CrewAI cannot be installed beside the other frameworks; a step of .ci/run has an environment for these tests.
"""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from botwire import Memory
from botwire_core.stores.sqlite import SqliteStore

BACKENDS = ["sqlite", "http"]
QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TESTING": "true",  # no question on the terminal whether to send traces
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
}

if INSTALLED := find_spec("crewai") is not None:
    os.environ.update(QUIET)  # some are read when it is imported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import crewai  # noqa: F401


class Absent(pytest.File):
    def collect(self) -> Any:
        pytest.skip("needs crewai, which has an environment of its own in .ci/run", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return None if INSTALLED else Absent.from_parent(parent, path=module_path)  # type: ignore[no-any-return]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            # CrewAI uses what it has deprecated itself.
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


@pytest.fixture(autouse=True)
def _held_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path / "crewai"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    connect = socket.socket.connect

    def on_loopback(self: socket.socket, address: Any) -> None:
        assert self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1"), f"reached out to {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", on_loopback)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server in this process; a test keeps to namespaces of its own."""
    from botwire_server.testing import served

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
