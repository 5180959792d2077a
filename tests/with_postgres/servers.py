"""Where a PostgreSQL server is, whoever started it, and a database on it that belongs to the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from uuid import uuid4

__all__ = ["Database", "Server", "quoted"]


class Server:
    """A server, by the URL that the tests use and the URL of somebody who may make databases.

    Example:
        server = Server("postgresql://me@db.example.com/postgres")
        server.execute("SELECT version()")
    """

    def __init__(self, address: str, administrator: str | None = None) -> None:
        self._address = address
        self._administrator = administrator or address

    @property
    def addresses(self) -> tuple[str, str]:
        """What makes the same `Server` in another process."""
        return self._address, self._administrator

    def url(self, database: str | None = None, **options: object) -> str:
        """The `postgresql://` URL of a database, by default of the one in the server's own URL."""
        return _with(self._address, database, options)

    def dsn(self, database: str | None = None, **options: object) -> str:
        """The same as libpq's `key=value` pairs."""
        from psycopg.conninfo import make_conninfo

        return make_conninfo(self.url(database, **options))

    def execute(self, statement: Any, parameters: Any = None, *, database: str | None = None) -> list[Any]:
        """Run one statement as administrator, committed at once; its rows as tuples, none where it gives none."""
        import psycopg

        with psycopg.connect(_with(self._administrator, database, {}), autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str) -> str:
        """Make a database that belongs to the user of the tests; its URL."""
        owner = urlsplit(self._address).username
        self.execute(f"CREATE DATABASE {quoted(name)}" + (f" OWNER {quoted(owner)}" if owner else ""))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, and whoever is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")


class Database:
    """A database of the tests' own on a server, and as many empty schemas in it as they ask for."""

    def __init__(self, server: Server, name: str | None) -> None:
        self.server = server
        self.name = name
        self._schemas: list[str] = []

    @property
    def url(self) -> str:
        """The URL of the database, without a schema."""
        return self.server.url(self.name)

    def fresh_schema(self, **options: object) -> str:
        """The URL of a store that starts empty: in a schema that does not exist yet, with options of the store's."""
        self._schemas.append(f"t_{uuid4().hex[:16]}")
        return self.server.url(self.name, schema=self._schemas[-1], **options)

    def execute(self, statement: Any, parameters: Any = None) -> list[Any]:
        """Run one statement in this database as administrator; its rows."""
        return self.server.execute(statement, parameters, database=self.name)

    def drop_schemas(self) -> None:
        """Drop what stores made in the schemas that were handed out."""
        for schema in self._schemas:
            self.execute(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")
        self._schemas.clear()

    @classmethod
    @contextmanager
    def on(cls, server: Server) -> Iterator[Database]:
        """A new database on a server, dropped at the end; only schemas of its own where no database may be made."""
        import psycopg

        name = f"botwire_test_{uuid4().hex[:16]}"
        try:
            server.create_database(name)
        except psycopg.errors.InsufficientPrivilege:
            database = cls(server, None)
            try:
                yield database
            finally:
                database.drop_schemas()
            return
        try:
            yield cls(server, name)
        finally:
            server.drop_database(name)


def quoted(name: str) -> str:
    """A name as it is written in a statement."""
    assert re.fullmatch(r"[^\x00\"]{1,63}", name), name
    return f'"{name}"'


def _with(address: str, database: str | None, options: dict[str, object]) -> str:
    # Never unsplit: urllib drops the two slashes of a URL without a host, and libpq needs them.
    parts = urlsplit(address)
    path = parts.path if database is None else f"/{quote(database, safe='')}"
    given = dict(parse_qsl(parts.query)) | {name: str(value) for name, value in options.items()}
    return f"{parts.scheme}://{parts.netloc}{path}" + (f"?{urlencode(given)}" if given else "")
