from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stress.machine import open_memory

from botwire_core.memory import Memory
from botwire_core.protocol import Drop, ListNamespaces
from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_postgres.url import open_url


@pytest.fixture(scope="session")
def shared_postgres(fresh_schema: Callable[..., str]) -> Iterator[Store]:
    store = open_url(fresh_schema())
    yield store
    asyncio.run(store.aclose())


@pytest.fixture
def postgres_store(shared_postgres: Store) -> Store:
    """A store on PostgreSQL that is empty."""
    for info in shared_postgres.run(ListNamespaces()):
        shared_postgres.run(Drop(info.name))
    return shared_postgres


@pytest.fixture(params=["file", "dict", "postgres"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    """A memory in each store."""
    if request.param == "postgres":
        yield Memory("notes", store=request.getfixturevalue("postgres_store"))
        return
    memory = open_memory(tmp_path / "memory.db") if request.param == "file" else Memory("notes", store=DictStore())
    yield memory
    memory.close()


@pytest.fixture
def each(pair: tuple[Memory, Memory], postgres_store: Store) -> tuple[Memory, ...]:
    """A memory in every store."""
    return (*pair, Memory("notes", store=postgres_store))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Memory, Memory]]:
    memories = open_memory(tmp_path / "memory.db", durability="normal"), Memory("notes", store=DictStore())
    yield memories
    for memory in memories:
        memory.close()
