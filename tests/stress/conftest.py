from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stress.machine import open_memory

from botwire_core.memory import Memory
from botwire_core.stores.dict import DictStore


@pytest.fixture(params=["file", "dict"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    memory = open_memory(tmp_path / "memory.db") if request.param == "file" else Memory("notes", store=DictStore())
    yield memory
    memory.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Memory, Memory]]:
    memories = open_memory(tmp_path / "memory.db", durability="normal"), Memory("notes", store=DictStore())
    yield memories
    for memory in memories:
        memory.close()
