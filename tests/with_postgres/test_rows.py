"""Rows of what a memory must survive that are PostgreSQL's own: collations, types, whose clock counts."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from with_postgres.servers import Database

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.memory import Memory
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url

SKEWED = """
import sys, time
real = time.time
time.time = lambda: real() + float(sys.argv[2])
from botwire import Memory
memory = Memory("notes", sys.argv[1])
memory.set("written here", 1, ttl=3600)
memory.set("gone soon", 1, ttl=0.001)
print(memory.get("written there"), memory.ttl("written there"), memory.entry("written here").updated_at.timestamp())
"""
"""A client whose wall clock is wrong from its start on."""


@pytest.fixture
def store(fresh_schema: Callable[..., str]) -> Iterator[PostgresStore]:
    """By the database's clock."""
    opened = open_url(fresh_schema())
    opened.run(p.Set("notes", "a", encode(1)))
    yield opened
    opened.close()


def columns(postgres: Database, store: PostgresStore) -> dict[tuple[str, str], tuple[str, str | None]]:
    """Type and collation of each column of our tables, by the names of table and column."""
    rows = postgres.execute(
        """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), l.collname
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE n.nspname = %s AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped""",
        (store._database.schema,),
    )
    return {(table, column): (kind, collation) for table, column, kind, collation in rows}


def test_k8_all_that_is_compared_or_ordered_as_text_is_so_by_its_bytes(
    store: PostgresStore, postgres: Database
) -> None:
    texts = {place: how for place, how in columns(postgres, store).items() if how[0] == "text"}
    # Never compared with anything but a constant of ours, or not at all.
    plain = {("about", "name"), ("versions", "author"), ("log_floors", "number")}
    assert {place for place, (_, collation) in texts.items() if collation != "C"} <= plain
    assert {
        ("spaces", "name"),
        ("versions", "key"),
        ("reserved", "key"),
        ("snapshots", "label"),
    } <= texts.keys() - plain


def test_j8_values_are_bytes_and_never_json_of_the_database(store: PostgresStore, postgres: Database) -> None:
    kinds = columns(postgres, store)
    assert {kinds["versions", "value"][0], kinds["reserved", "value"][0]} == {"bytea"}
    assert {kind for kind, _ in kinds.values()} == {"bytea", "bigint", "smallint", "text", "double precision"}


@pytest.mark.parametrize("skew", [-86400.0, 86400.0 * 365])
def test_t4_the_database_decides_what_has_expired_whatever_the_clock_of_a_client_says(
    store: PostgresStore, fresh_schema: Callable[..., str], skew: float
) -> None:
    url = fresh_schema()
    memory = Memory("notes", url)
    memory.set("written there", 1, ttl=3600)
    said = subprocess.run(
        [sys.executable, "-c", SKEWED, url, str(skew)], capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode == 0, said.stderr
    value, left, updated = said.stdout.split()
    assert value == "1"
    assert 3500 < float(left) <= 3600
    assert abs(float(updated) - time.time()) < 60
    assert memory.get("written here") == 1
    assert 3500 < (memory.ttl("written here") or 0) <= 3600
    assert memory.get("gone soon") is None
    # What a client wrote by its own clock would be of another day: the order of times is that of the commits.
    memory.set("written here", 2)
    times = [entry.updated_at for entry in memory.history("written here")]
    assert times == sorted(times, reverse=True)
    memory.close()
