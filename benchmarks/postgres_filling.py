"""A store on PostgreSQL with a great many namespaces, keys and forks, put into its tables directly.

What is written there is what a store would have written: `check` reads it back through one, checksums and all.
"""

from __future__ import annotations

import time
from typing import Any

import orjson
import psycopg
from measure import make_value
from psycopg.sql import SQL, Identifier

from botwire import Memory
from botwire_core.stores.sql.records import record_checksum
from botwire_postgres.schema import qualified

__all__ = ["Filling", "in_schema"]

SIZE = 200
_SPACES = "COPY {} (name, created, expires, parent, forked_at, checksum) FROM STDIN"
_VERSIONS = """INSERT INTO versions
    (space, revision, place, version, gone, created, updated, previous, codec, key, author, value)
    SELECT s.id, n + 1, 0, 1, NULL, s.created + n, s.created + n, 0, 1,
    'user' || lpad((n / 100)::text, 5, '0') || ':fact-' || lpad((n % 100)::text, 3, '0'), NULL,
    convert_to(replace($1, '"id":0', '"id":' || n), 'UTF8')
    FROM spaces s JOIN sizes z ON z.name = s.name CROSS JOIN generate_series(0, z.keys - 1) AS n ORDER BY s.id, n"""


class Filling:
    """So many namespaces, forks and keys; the keys of each are those of `measure.keys`, 100 under a prefix.

    `large` is one namespace with what is left of the keys, `middle` are of 200 keys each, and the rest of the
    namespaces have 5. Half of the forks are of `large`, the others of those in the middle.
    """

    def __init__(self, namespaces: int, keys: int, forks: int, *, middle: int) -> None:
        self.middle = [f"middle-{number:05}" for number in range(middle)]
        self.small = [f"small-{number:06}" for number in range(namespaces - middle - 1)]
        self.large = "large"
        self.large_keys = keys - 200 * middle - 5 * len(self.small)
        self.forks = [f"fork-{number:06}" for number in range(forks)]
        self.keys = keys
        assert self.large_keys > 200, "too few keys for so many namespaces"

    def parent_of(self, fork: int) -> str:
        """Half of them have one parent."""
        return self.large if fork % 2 else self.middle[fork // 2 % len(self.middle)]

    def write(self, url: str, schema: str) -> None:
        """Into an empty schema, which the store makes first."""
        Memory("first", in_schema(url, schema)).set("key", 1)
        sizes = {self.large: self.large_keys, **dict.fromkeys(self.middle, 200), **dict.fromkeys(self.small, 5)}
        now = time.time_ns() // 1000 - 10**9
        template = orjson.dumps(make_value(SIZE)).decode()
        with psycopg.connect(url) as connection:
            cursor = psycopg.RawCursor(connection)
            copy = SQL(_SPACES).format(Identifier(schema, "spaces"))
            with cursor.copy(copy) as lines:
                for name in sizes:
                    lines.write_row((name, now, None, None, 0, record_checksum(now, None, None, 0)))
            cursor.execute("CREATE TEMPORARY TABLE sizes (name text PRIMARY KEY, keys bigint)")
            with cursor.copy("COPY sizes FROM STDIN") as lines:
                for row in sizes.items():
                    lines.write_row(row)
            cursor.execute(_sql(_VERSIONS, schema), (template,))
            cursor.execute(_sql("SELECT name, id FROM spaces", schema))
            ids = dict(cursor.fetchall())
            with cursor.copy(copy) as lines:
                for number, name in enumerate(self.forks):
                    parent = self.parent_of(number)
                    origin = now + 10**8, None, ids[parent], sizes[parent]
                    lines.write_row((name, *origin, record_checksum(*origin)))
        with psycopg.connect(url, autocommit=True) as connection:
            for table in ("versions", "spaces"):
                connection.execute(SQL("VACUUM ANALYZE {}").format(Identifier(schema, table)))

    def check(self, url: str, schema: str) -> None:
        """Read some of it through a store."""
        place = in_schema(url, schema)
        for name, count in ((self.large, self.large_keys), (self.middle[0], 200), (self.small[-1], 5)):
            memory = Memory(name, place)
            last = f"user{(count - 1) // 100:05}:fact-{(count - 1) % 100:03}"
            found = memory.entry(last)
            assert found is not None
            assert (found.value, found.version, found.revision) == (make_value(SIZE, count - 1), 1, count), found
            assert len(memory.list_keys("user00000:")) == min(100, count)
        for number in range(0, len(self.forks), max(1, len(self.forks) // 10)):
            fork = Memory(self.forks[number], place)
            assert fork.get("user00000:fact-003") == make_value(SIZE, 3)
            assert fork.set("user00000:fact-003", 1) == 2
            assert Memory(self.parent_of(number), place).get("user00000:fact-003") == make_value(SIZE, 3)


def in_schema(url: str, schema: str) -> str:
    """The URL of a store whose tables stand in a schema."""
    return f"{url}{'&' if '?' in url else '?'}schema={schema}"


def _sql(text: str, schema: str) -> Any:
    return qualified(text, schema)
