"""What PostgreSQL does for the statements of some ops: its plans, with the values at hand and without them.

A prepared statement is planned for its values a few times, and after that maybe once for all values (a generic plan).
Neither may read a whole namespace. Statements are taken down while a store runs the ops, and each is then explained by
itself, in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from botwire_core.protocol import Op
from botwire_postgres.database import Database
from botwire_postgres.schema import qualified
from botwire_postgres.store import PostgresStore

__all__ = ["GENERIC", "MODES", "Plan", "Statement", "explained", "taken_down"]

_TYPES: Mapping[type, str] = {int: "bigint", str: "text", bytes: "bytea", float: "double precision"}
_EXPLAIN = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF, FORMAT {}) {}")
_EXPLAIN_ONLY = sql.SQL("EXPLAIN (FORMAT {}) {}")
GENERIC = "force_generic_plan"
MODES = ("force_custom_plan", GENERIC)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of an op, with the values that it was run with."""

    op: str
    text: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What was done for a statement: as text, the most rows that one step looked at, and the pages that all read."""

    statement: Statement
    mode: str
    text: str
    steps: str
    rows: int
    pages: int


class _Noting(Database):
    """Keeps what it is told to run, each text once."""

    notes: dict[str, Statement]
    op = ""

    def _note(self, text: str, values: Any) -> None:
        self.notes.setdefault(text, Statement(self.op, text, values))

    def _statement(self, kind: Any, sql: str, values: Any) -> Any:
        self._note(sql, values)
        return super()._statement(kind, sql, values)

    def write_alone(self, sql: str, values: Any) -> list[Any]:
        self._note(sql, values)
        return super().write_alone(sql, values)

    def do_many(self, sql: str, rows: list[Any]) -> None:
        self._note(sql, rows[0])
        super().do_many(sql, rows)


class _NotingStore(PostgresStore):
    def take_down(self, ops: Mapping[str, Op[Any]]) -> list[Statement]:
        database = self._database
        database.__class__ = _Noting  # all the rest of it stays as the store has made it
        assert isinstance(database, _Noting)
        database.notes = {}
        for database.op, op in ops.items():
            database.run(self._runners[type(op)], op)
        return list(database.notes.values())


def taken_down(url: str, schema: str, ops: Mapping[str, Op[Any]]) -> list[Statement]:
    """The statements of some ops, each once."""
    store = _NotingStore(url, schema=schema)
    try:
        return store.take_down(ops)
    finally:
        store.close()


def explained(url: str, schema: str, statements: Sequence[Statement]) -> Iterator[Plan]:
    """The plans of each statement, with its values and for all values."""
    with psycopg.connect(url) as connection:
        for number, one in enumerate(statements):
            name = sql.Identifier(f"s{number}")
            types = sql.SQL(", ").join(sql.SQL(_type_of(value)) for value in one.values)
            text = sql.SQL(qualified(one.text, schema))  # type: ignore[arg-type]
            given = sql.SQL(", ").join(sql.Literal(value) for value in one.values)
            for mode in MODES:
                connection.execute(sql.SQL("SET LOCAL plan_cache_mode = {}").format(sql.Identifier(mode)))
                made = sql.SQL("PREPARE {} ({}) AS {}") if one.values else sql.SQL("PREPARE {}{} AS {}")
                connection.execute(made.format(name, types, text))
                call = sql.SQL("EXECUTE {} ({})" if one.values else "EXECUTE {}{}").format(name, given)
                for form in ("TEXT", "JSON"):  # the second has all pages at hand, and counts
                    connection.execute("SAVEPOINT before")
                    try:
                        rows = connection.execute(_EXPLAIN.format(sql.SQL(form), call)).fetchall()
                    except psycopg.errors.UniqueViolation:  # an insert of a row that is there by now
                        connection.execute("ROLLBACK TO SAVEPOINT before")
                        rows = connection.execute(_EXPLAIN_ONLY.format(sql.SQL(form), call)).fetchall()
                    connection.execute("ROLLBACK TO SAVEPOINT before")
                    if form == "TEXT":
                        lines = "\n".join(row[0] for row in rows)
                root = rows[0][0][0]["Plan"]
                steps = list(_steps(root))
                pages = root.get("Shared Hit Blocks", 0) + root.get("Shared Read Blocks", 0)
                yield Plan(one, mode, lines, ", ".join(map(_named, steps)), max(map(_looked_at, steps)), pages)
                connection.execute("DEALLOCATE ALL")
                connection.rollback()


def _type_of(value: Any) -> str:
    if isinstance(value, list):
        return f"{_TYPES[type(value[0])]}[]"
    return "unknown" if value is None else _TYPES[type(value)]


def _steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _steps(part)


def _looked_at(step: dict[str, Any]) -> int:
    loops = step.get("Actual Loops", 1)
    removed = step.get("Rows Removed by Filter", 0) + step.get("Rows Removed by Index Recheck", 0)
    return round((step.get("Actual Rows", 0) + removed) * loops)


def _named(step: dict[str, Any]) -> str:
    where = step.get("Index Name") or step.get("Relation Name")
    return f"{step['Node Type']} {where}" if where else str(step["Node Type"])
