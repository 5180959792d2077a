"""What a store keeps: rows, and the batches of them that are committed together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from botwire_core.clock import from_microseconds
from botwire_core.codec import Payload, Value, decode, encode, from_portable, to_portable
from botwire_core.records import record, replace
from botwire_core.results import Entry

__all__ = ["TOMBSTONE", "Batch", "Row", "StaleRead", "in_key_order", "log_digest"]

TOMBSTONE: Final = 0
"""The codec of a row that marks a delete; its data is empty."""


@record
class Row:
    """One version of one key, as it is kept; times are microseconds since the epoch."""

    key: str
    version: int
    revision: int
    codec: int
    data: bytes
    created: int
    updated: int
    expires: int | None = None
    author: str | None = None

    def live(self, now: int) -> bool:
        """Whether the row is neither a delete nor expired; at the very microsecond it is expired."""
        return self.codec != TOMBSTONE and (self.expires is None or self.expires > now)

    @property
    def value(self) -> Value:
        """A fresh copy of the value; None for a delete."""
        return None if self.codec == TOMBSTONE else decode(self.codec, self.data)

    @property
    def payload(self) -> Payload:
        return Payload(self.codec, self.data)

    def entry(self, *, hidden: bool = False) -> Entry:
        """The row as users see it; `hidden` gives a delete, whatever the row holds."""
        deleted = hidden or self.codec == TOMBSTONE
        return Entry(
            self.key,
            None if deleted else decode(self.codec, self.data),
            self.version,
            self.revision,
            from_microseconds(self.created),
            from_microseconds(self.updated),
            None if self.expires is None or deleted else from_microseconds(self.expires),
            self.author,
            deleted,
        )

    def to_json(self) -> dict[str, Any]:
        """The row as JSON members."""
        members: dict[str, Any] = {
            "key": self.key,
            "version": self.version,
            "revision": self.revision,
            "created": self.created,
            "updated": self.updated,
            "expires": self.expires,
            "author": self.author,
        }
        return members if self.codec == TOMBSTONE else {**members, **to_portable(self.value)}

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Row:
        """The row that `to_json` gave."""
        payload = encode(from_portable(dict(members))) if "value" in members else Payload(TOMBSTONE, b"")
        return cls(
            members["key"],
            members["version"],
            members["revision"],
            payload.codec,
            payload.data,
            members["created"],
            members["updated"],
            members["expires"],
            members["author"],
        )


class StaleRead(Exception):
    """Somebody wrote between a read and the commit that relies on it; the op is run again."""


@record
class Batch:
    """Rows to store in one namespace, all or nothing, as one revision.

    `expect` has, for every key that the batch relies on, the version of the row that was read: 0 where there was none.
    """

    namespace: str
    rows: tuple[Row, ...]
    expect: Mapping[str, int]

    def applied_to(self, rows: Mapping[str, Row]) -> dict[str, Row]:
        """The rows to store, by key, with their revision, where `rows` has the newest row of every key.

        Raises:
            StaleRead: one of the keys that the batch relies on was written meanwhile.
        """
        for key, version in self.expect.items():
            row = rows.get(key)
            if (row.version if row else 0) != version:
                raise StaleRead(key)
        revision = max((row.revision for row in rows.values()), default=0) + 1
        return {row.key: replace(row, revision=revision) for row in self.rows}


def in_key_order(rows: Iterable[Row], prefix: str, after: str | None, reverse: bool) -> Iterator[Row]:
    """The rows whose keys start with `prefix`, in byte order, above `after`; `reverse`: falling, below it."""
    for row in sorted(rows, key=lambda row: row.key, reverse=reverse):
        if row.key.startswith(prefix) and (after is None or (row.key < after if reverse else row.key > after)):
            yield row


def log_digest(log: str) -> bytes:
    """What stands for a log where its rows are gone: its name may be what is to be forgotten."""
    from hashlib import blake2b

    return blake2b(log.encode(), digest_size=16).digest()
