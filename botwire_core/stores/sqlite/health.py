"""What `botwire doctor` tells of an embedded store."""

from __future__ import annotations

from botwire_core.records import record

__all__ = ["StoreHealth"]


@record
class StoreHealth:
    """The state of a store's file; `integrity` is "ok" or says what is wrong."""

    path: str
    bytes: int
    """Size of the file and its write-ahead log."""
    sqlite_version: str
    durability: str
    schema_version: int
    namespaces: int
    versions: int
    integrity: str
