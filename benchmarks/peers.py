"""What BotWire is measured beside, in one process: the limit, and the stores that persist for a Python program.

Each is a contender as `ours.py` describes. They get the same values and must give them back equal; what one cannot do
raises `NotImplementedError`. A driver is imported by `open`, so that who is not installed is left out and named.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import takewhile
from typing import Any

from ours import NAMESPACE

__all__ = ["LIMITS", "PEERS", "ApswOrjson", "ApswOrjsonFull", "Contender", "Pairs"]

Pairs = Iterable[tuple[str, Any]]


class Contender:
    name = "?"
    durability = "?"
    is_async = False

    def open(self, folder: str) -> None:
        raise NotImplementedError

    def load(self, pairs: Pairs) -> Any:
        for key, value in pairs:
            self.set(key, value)

    def set(self, key: str, value: Any) -> Any:
        raise NotImplementedError

    def get(self, key: str) -> Any:
        raise NotImplementedError

    def list_prefix(self, prefix: str) -> list[str]:
        raise NotImplementedError

    def close(self) -> None:
        """Let go of files and processes."""


class ApswOrjson(Contender):
    """The limit: one table of keys and JSON, no versions, no checks, the quickest binding and codec there are."""

    name = "apsw+orjson"
    durability = "WAL NORMAL"
    synchronous = "NORMAL"

    SCHEMA = (
        "CREATE TABLE kv (namespace TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, created REAL, updated REAL,"
        " expires REAL, PRIMARY KEY (namespace, key))"
    )
    GET = "SELECT value, expires FROM kv WHERE namespace = ? AND key = ?"
    SET = (
        "INSERT INTO kv VALUES (?, ?, ?, ?, ?, NULL) ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value,"
        " updated = excluded.updated, expires = excluded.expires"
    )
    LIST = "SELECT key FROM kv WHERE namespace = ? AND key >= ? AND key < ? ORDER BY key"

    def open(self, folder: str) -> None:
        self.connection, self.loads, self.dumps = self.connect(f"{folder}/kv.db")
        pragmas = ("journal_mode=WAL", f"synchronous={self.synchronous}", "mmap_size=268435456", "cache_size=-65536")
        for pragma in pragmas:
            self.connection.execute(f"PRAGMA {pragma}").fetchall()
        self.connection.execute(self.SCHEMA)
        self.execute = self.connection.cursor().execute

    @staticmethod
    def connect(path: str) -> tuple[Any, Any, Any]:
        import apsw
        import orjson

        connection = apsw.Connection(path)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # else a range query is compiled anew at every call
        return connection, orjson.loads, orjson.dumps

    def load(self, pairs: Pairs) -> None:
        self.execute("BEGIN")
        super().load(pairs)
        self.execute("COMMIT")

    def set(self, key: str, value: Any) -> None:
        now = time.time()
        self.execute(self.SET, (NAMESPACE, key, self.dumps(value), now, now))

    def get(self, key: str) -> Any:
        found = self.execute(self.GET, (NAMESPACE, key)).fetchone()
        return None if found is None else self.loads(found[0])

    def list_prefix(self, prefix: str) -> list[str]:
        return [key for (key,) in self.execute(self.LIST, (NAMESPACE, prefix, prefix + "\U0010ffff"))]

    def close(self) -> None:
        self.connection.close()


class ApswOrjsonFull(ApswOrjson):
    name = "apsw+orjson FULL"
    durability = "WAL FULL"
    synchronous = "FULL"


class Sqlite3Json(ApswOrjson):
    name = "sqlite3+json"

    @staticmethod
    def connect(path: str) -> tuple[Any, Any, Any]:
        import json
        import sqlite3

        return sqlite3.connect(path, isolation_level=None), json.loads, json.dumps


class LmdbOrjson(Contender):
    name = "lmdb+orjson"
    durability = "no sync"

    def open(self, folder: str) -> None:
        import lmdb
        import orjson

        self.loads, self.dumps = orjson.loads, orjson.dumps
        self.environment = lmdb.open(f"{folder}/lmdb", map_size=2**33, sync=False, metasync=False)

    def load(self, pairs: Pairs) -> None:
        with self.environment.begin(write=True) as transaction:
            for key, value in pairs:
                transaction.put(key.encode(), self.dumps(value))

    def set(self, key: str, value: Any) -> None:
        self.load([(key, value)])

    def get(self, key: str) -> Any:
        with self.environment.begin(buffers=True) as transaction:
            found = transaction.get(key.encode())
            return None if found is None else self.loads(found)

    def list_prefix(self, prefix: str) -> list[str]:
        start = prefix.encode()
        with self.environment.begin() as transaction, transaction.cursor() as cursor:
            cursor.set_range(start)
            return [key.decode() for key in takewhile(lambda key: key.startswith(start), cursor.iternext(values=False))]

    def close(self) -> None:
        self.environment.close()


class RocksdictOrjson(Contender):
    name = "rocksdict+orjson"
    durability = "log, no sync"

    def open(self, folder: str) -> None:
        import orjson
        from rocksdict import Options, Rdict

        self.loads, self.dumps = orjson.loads, orjson.dumps
        self.database = Rdict(f"{folder}/rocks", Options(raw_mode=True))

    def set(self, key: str, value: Any) -> None:
        self.database[key.encode()] = self.dumps(value)

    def get(self, key: str) -> Any:
        found = self.database.get(key.encode())
        return None if found is None else self.loads(found)

    def list_prefix(self, prefix: str) -> list[str]:
        start = prefix.encode()
        return [
            key.decode() for key in takewhile(lambda key: key.startswith(start), self.database.keys(from_key=start))
        ]

    def close(self) -> None:
        self.database.close()


class DiskCache(Contender):
    """It has no prefix listing: one would look at every key."""

    name = "diskcache"
    durability = "WAL NORMAL"

    def open(self, folder: str) -> None:
        import diskcache

        self.cache = diskcache.Cache(f"{folder}/diskcache", eviction_policy="none", size_limit=2**36)

    def load(self, pairs: Pairs) -> None:
        with self.cache.transact():
            super().load(pairs)

    def set(self, key: str, value: Any) -> None:
        self.cache.set(key, value)

    def get(self, key: str) -> Any:
        return self.cache.get(key)

    def close(self) -> None:
        self.cache.close()


class SqliteDict(Contender):
    name = "sqlitedict"
    durability = "WAL NORMAL"

    def open(self, folder: str) -> None:
        import sqlitedict

        self.dictionary = sqlitedict.SqliteDict(f"{folder}/dictionary.db", autocommit=False, journal_mode="WAL")

    def load(self, pairs: Pairs) -> None:
        self.dictionary.update(dict(pairs))
        self.dictionary.commit()

    def set(self, key: str, value: Any) -> None:
        self.dictionary[key] = value
        self.dictionary.commit()

    def get(self, key: str) -> Any:
        return self.dictionary.get(key)

    def close(self) -> None:
        self.dictionary.close()


LIMITS: list[type[Contender]] = [ApswOrjson, ApswOrjsonFull]
PEERS: list[type[Contender]] = [ApswOrjson, Sqlite3Json, LmdbOrjson, RocksdictOrjson, DiskCache, SqliteDict]
