"""An empty memory on each backend, for everything that LangChain is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from botwire import Memory

BACKENDS = ["sqlite"]


@pytest.fixture(params=BACKENDS)
def url(tmp_path: Path) -> str:
    """Where a store is, one for each backend."""
    return f"sqlite:///{tmp_path / 'memory.db'}"


@pytest.fixture
def memory(url: str) -> Iterator[Memory]:
    with Memory(f"test-{uuid4().hex}", url) as memory:
        yield memory
