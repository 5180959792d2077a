"""Langfuse's SDK without its service: nothing listens where it sends to, and the spans stay here.

It has an environment of its own in .ci/run; elsewhere these tests are skipped.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from witness import make_memory

from botwire_core.memory import Memory
from botwire_core.scopes.runs import active_runs

INSTALLED = find_spec("langfuse") is not None


class Absent(pytest.File):
    def collect(self) -> Any:
        pytest.skip("needs langfuse, which has an environment of its own in .ci/run", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return None if INSTALLED else Absent.from_parent(parent, path=module_path)  # type: ignore[no-any-return]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = make_memory(tmp_path)
    yield memory
    memory.store.close()
    assert active_runs() == []


@pytest.fixture
def make_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    from langfuse import Langfuse
    from langfuse._client.resource_manager import LangfuseResourceManager
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    monkeypatch.setitem(os.environ, "NO_PROXY", "127.0.0.1")
    # That nothing listens there is what these tests are about, and no news.
    logging.getLogger("langfuse").setLevel(logging.CRITICAL)
    made = []

    def make(**options: Any) -> Any:
        defaults = {"span_exporter": InMemorySpanExporter(), "tracer_provider": TracerProvider(), "timeout": 1}
        keys = {"public_key": f"pk-{len(made)}", "secret_key": "sk"}
        client = Langfuse(**keys, base_url="http://127.0.0.1:9", **{**defaults, **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.shutdown()
    LangfuseResourceManager.reset()


@pytest.fixture
def client(make_client: Callable[..., Any]) -> Any:
    return make_client()
