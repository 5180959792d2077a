"""The versions may stand in hash partitions by namespace, made by hand, as docs/how-to/size-a-cluster.md proposes."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from with_postgres.servers import Database

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.store import Store
from botwire_core.testing import ManualClock
from botwire_postgres.schema import ensure_schema
from botwire_postgres.url import open_url

PARTITIONS = 4


@pytest.fixture
def partitioned(fresh_schema: Callable[..., str], postgres: Database) -> str:
    """The URL of an empty store whose versions stand in partitions."""
    import psycopg

    url = fresh_schema()
    schema = parse_qs(urlsplit(url).query)["schema"][0]

    with psycopg.connect(postgres.url, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:

        def do(sql: str) -> None:
            table = f'"{schema}".versions'
            parted = sql.startswith(f"CREATE TABLE {table} (")
            connection.execute(f"{sql} PARTITION BY HASH (space)" if parted else sql)  # type: ignore[arg-type]
            for number in range(PARTITIONS if parted else 0):
                part = f'CREATE TABLE "{schema}".versions_{number} PARTITION OF {table}'
                connection.execute(
                    f"{part} FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"  # type: ignore[arg-type]
                )

        ensure_schema(schema, lambda sql, values: connection.execute(sql, values).fetchall(), do)  # type: ignore[arg-type]
    return url


def live(store: Store) -> list[object]:
    """Something of everything, and what came of it."""
    results: list[object] = []
    for number in range(100):
        store.run(p.Set("base", "often", encode(number)))
    for name in ("base", "other"):
        store.run(p.SetMany(name, tuple((f"key:{number}", encode(number)) for number in range(30))))
    store.run(p.Snapshot("base", "before"))
    results.append(store.run(p.Fork("base", "fork")))
    results.append(store.run(p.Set("fork", "often", encode("mine"))))
    results.append(store.run(p.Append("fork", "log", (encode(1), encode(2)))))
    results.append(store.run(p.Delete("base", "key:3")))
    results.append(store.run(p.Increment("base", "visits")))
    results.append(store.run(p.Merge("base", "fork", strategy="theirs")))
    results.append(store.run(p.Drop("other")))
    results.append(store.run(p.Purge("base", "key:1")).keys)
    results += map(store.run, (p.ListKeys("fork"), p.GetHistory("base", "often"), p.ListChanges("fork", since=0)))
    results += map(store.run, (p.ListNamespaces(), p.Compare("base", "fork")))
    return results


def test_all_goes_as_it_does_without_partitions(
    partitioned: str, fresh_schema: Callable[..., str], clock: ManualClock, postgres: Database
) -> None:
    stores = [open_url(url, clock=clock) for url in (partitioned, fresh_schema())]
    assert live(stores[0]) == live(stores[1])
    for store in stores:
        store.close()
    schema = parse_qs(urlsplit(partitioned).query)["schema"][0]
    used = postgres.execute(f"SELECT count(DISTINCT tableoid) FROM {schema}.versions")
    assert used[0][0] > 1
