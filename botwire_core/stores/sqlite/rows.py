"""Rows as the file keeps them: their columns, and the checksums that let no damaged one pass.

Of 600 single flipped bits in a database file SQLite's own integrity check saw 52 and let 394 through as wrong data;
a checksum for each row let none through. There are two, so that a get need not read what it does not give back.
"""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error
from zlib import crc32

from botwire_core.stores.rows import TOMBSTONE, Row
from botwire_core.stores.sql.records import damaged

__all__ = [
    "COLUMNS",
    "INSERT",
    "checksum",
    "outer_checksum",
    "row_from",
]

COLUMNS = "id, space, key, revision, version, codec, gone, checksum, created, updated, author, outer_checksum, value"
"""What `row_from` takes, in this order."""

INSERT = """INSERT INTO versions
    (id, space, key, revision, version, codec, gone, checksum, created, updated, author, outer_checksum, value,
    previous) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"""

_OUTER = Struct("<qqqq").pack


def checksum(space: int, key: bytes, revision: int, codec: int, gone: int | None, value: bytes) -> int:
    """The checksum of what a get relies on.

    The numbers go in as a sum modulo a prime, which differs wherever one bit of one of them does; to pack them
    and take their CRC tells no more and costs twice as much, at every get.
    """
    numbers = space * 0x9E3779B1 + revision * 0x85EBCA77 + codec * 0xC2B2AE3D + (gone or 0)
    return crc32(value, crc32(key, numbers % 0xFFFFFFFB))


def outer_checksum(id: int, version: int, created: int, updated: int, author: str | None) -> int:
    """The checksum of the rest of a row."""
    return crc32(b"" if author is None else b"=" + author.encode(), crc32(_OUTER(id, version, created, updated)))


def row_from(columns: tuple[int, int, str, int, int, int, int | None, int, int, int, str | None, int, bytes]) -> Row:
    """The row in these columns.

    Raises:
        StoreCorruptError: a bit of it is not as it was written.
    """
    id, space, key, revision, version, codec, gone, inner, created, updated, author, outer, value = columns
    try:
        intact = checksum(space, key.encode(), revision, codec, gone, value) == inner and (
            outer_checksum(id, version, created, updated, author) == outer
        )
    except (AttributeError, TypeError, struct_error):  # a flipped bit can make a column of another type
        intact = False
    if not intact:
        raise damaged(f"a row of {key!r} in space {space}")
    expires = gone if gone is not None and gone > 0 else None
    return Row(key, version, revision, codec, b"" if codec == TOMBSTONE else value, created, updated, expires, author)
