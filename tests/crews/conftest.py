"""CrewAI held in: nothing goes to its makers, nothing is written outside of the test; and a memory on each backend.

CrewAI cannot be installed beside the other frameworks; a step of .ci/run has an environment for these tests.
"""

from __future__ import annotations

import os
import socket
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from backends import memory, server, url  # noqa: F401  # fixtures

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
