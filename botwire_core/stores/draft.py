"""One write in the making: what it read, and the rows that it will commit."""

from __future__ import annotations

from collections.abc import Callable

from botwire_core.codec import Payload
from botwire_core.errors import ConflictError
from botwire_core.names import log_of
from botwire_core.records import field, record
from botwire_core.stores.rows import TOMBSTONE, Batch, Row

__all__ = ["Draft"]

_NOTHING = Payload(TOMBSTONE, b"")


@record(frozen=False)
class Draft:
    """The rows that a write reads and makes in one namespace; it sees its own rows before it is committed."""

    namespace: str
    now: int
    """Microseconds since the epoch: the one time by which the whole write judges."""
    read: Callable[[str, str], Row | None]
    floor: int = 0
    """The version above which keys start that were never seen."""
    changed: int = 0
    """When the last commit was made, maybe by a clock that is ahead: the rows of this one are not written before it."""
    expect: dict[str, int] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    next_numbers: dict[str, int] = field(default_factory=dict)
    """The next row number of each log that was appended to."""
    written_numbers: dict[str, int] = field(default_factory=dict)
    """The highest row number of each log that has a row in this draft, written under its key or appended."""

    @property
    def written(self) -> int:
        """When the rows are written; what has expired is judged by `now` all the same."""
        return max(self.now, self.changed)

    def newest(self, key: str) -> Row | None:
        """The newest row of a key, deleted or not."""
        row = self.rows.get(key)
        if row is None:
            row = self.read(self.namespace, key)
            self.expect.setdefault(key, row.version if row else 0)
        return row

    def live(self, key: str) -> Row | None:
        """The row that stands at a key, or None."""
        row = self.newest(key)
        return row if row is not None and row.live(self.now) else None

    def check_version(self, key: str, wanted: int) -> None:
        """Raise the `ConflictError` if the key is not at this version (0: absent)."""
        row = self.live(key)
        current = row.version if row else 0
        if current != wanted:
            stands = f"stands at version {current}" if current else "is not there"
            raise ConflictError(
                f"{key!r} {stands}, not {'at version ' + str(wanted) if wanted else 'absent'}",
                hint="read it again and decide anew",
                key=key,
                version=current,
            )

    def put(self, key: str, payload: Payload, expires: int | None, author: str | None) -> Row:
        """Let a value stand at a key."""
        before = self.newest(key)
        created = before.created if before is not None and before.live(self.now) else self.written
        return self._add(key, before, payload, created, expires, author)

    def put_new(
        self, key: str, payload: Payload, expires: int | None, author: str | None, created: int | None = None
    ) -> Row:
        """Let a value stand at a key that was never used, which spares the look."""
        self.expect.setdefault(key, 0)
        return self._add(key, None, payload, self.written if created is None else created, expires, author)

    def remove(self, key: str, author: str | None) -> bool:
        """Take a key away; False where nothing stands, and then nothing is written."""
        before = self.live(key)
        if before is None:
            return False
        self._add(key, before, _NOTHING, before.created, None, author)
        return True

    def hide(self, key: str) -> None:
        """Take away what shines through since an erasure, above every version that was erased with it."""
        before = self.newest(key)
        version = max(before.version if before is not None else 0, self.floor) + 1
        self.rows[key] = Row(key, version, 0, TOMBSTONE, b"", self.written, self.written)

    def batch(self) -> Batch:
        return Batch(self.namespace, tuple(self.rows.values()), self.expect)

    def _add(
        self, key: str, before: Row | None, payload: Payload, created: int, expires: int | None, author: str | None
    ) -> Row:
        version = (before.version if before is not None else self.floor) + 1
        row = Row(key, version, 0, payload.codec, payload.data, created, self.written, expires, author)
        self.rows[key] = row
        place = log_of(key)
        if place is not None:
            self.written_numbers[place[0]] = max(place[1], self.written_numbers.get(place[0], -1))
        return row
