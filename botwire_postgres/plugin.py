"""What BotWire offers for PostgreSQL; safe to import without its driver."""

from __future__ import annotations

from collections.abc import Iterable

from botwire_core.hookspecs import StoreSpec, hookimpl

__all__ = ["botwire_stores"]


@hookimpl
def botwire_stores() -> Iterable[StoreSpec]:
    """The store of `postgresql://` URLs."""
    return [StoreSpec("postgresql", "botwire_postgres.url:open_url", needs="psycopg", install="botwire[postgres]")]
