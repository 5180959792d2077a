"""Sessions of somebody else's, beside those of a store, and what the server tells of both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from with_postgres.servers import Database

__all__ = ["lock_of", "other_session", "schema_of", "somebody_waits"]


@contextmanager
def other_session(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """An administrator's session, in a transaction; in a deadlock it is never the one that has to give way."""
    with psycopg.connect(database.server.addresses[1], dbname=database.name) as session:
        session.execute("SET deadlock_timeout = '1min'")
        session.commit()
        yield session


def schema_of(url: str) -> str:
    """The schema that the URL of a store names."""
    return url.rpartition("schema=")[2].partition("&")[0]


def lock_of(url: str, namespace: str) -> str:
    """The statement that locks a namespace of a store, as whoever writes to it does."""
    return f"SELECT 1 FROM {schema_of(url)}.spaces WHERE name = '{namespace}' FOR UPDATE"


def somebody_waits(database: Database) -> bool:
    """Whether a session waits for a lock in this database."""
    return bool(
        database.execute(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    )
