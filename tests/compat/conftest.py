from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from compat.first_sdk import FirstSdk, NoEnvironmentError, python_with_first_sdk
from compat.first_service import FirstService, first_service

from botwire_core.memory import Memory
from botwire_core.stores.http.store import HttpStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_server.testing import served


@pytest.fixture(scope="session")
def first_sdk_python() -> Path:
    try:
        return python_with_first_sdk()
    except NoEnvironmentError as error:
        pytest.skip(f"SDK 0.2.1 could not be installed: {error}")


@pytest.fixture
def service() -> Iterator[FirstService]:
    with first_service() as made:
        yield made


@dataclass(frozen=True)
class Place:
    """A server that the tests share; each uses a namespace or keys of its own."""

    url: str
    is_first: bool
    """Whether it is the first service, and not ours."""


@pytest.fixture(scope="session", params=["the first service", "botwire serve"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if request.param == "the first service":
        with first_service() as made:
            yield Place(made.url, True)
    else:
        with closing(SqliteStore(tmp_path_factory.mktemp("served") / "memory.db")) as kept, served(kept) as url:
            yield Place(url, False)


@pytest.fixture
def is_first(place: Place) -> bool:
    return place.is_first


@pytest.fixture(scope="session")
def sdk(first_sdk_python: Path, place: Place) -> Iterator[FirstSdk]:
    with FirstSdk.talking_to(place.url, first_sdk_python) as process:
        yield process


@pytest.fixture(scope="session")
def ours(place: Place) -> Iterator[HttpStore]:
    with closing(HttpStore(place.url)) as store:
        yield store


@pytest.fixture
def memory(ours: HttpStore) -> Memory:
    """A memory of ours at the server, in a namespace that nobody used before."""
    return Memory(f"test-{uuid.uuid4().hex}", store=ours)
