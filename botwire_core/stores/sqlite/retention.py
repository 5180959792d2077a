"""What the embedded store lets go in passing: expired values, keys that were deleted long ago, forks that ended."""

from __future__ import annotations

from itertools import takewhile

from botwire_core.errors import StoreBusyError
from botwire_core.stores.rows import TOMBSTONE
from botwire_core.stores.spaces import Space
from botwire_core.stores.sqlite.rows import checksum
from botwire_core.stores.sqlite.schema import ROW_BITS
from botwire_core.stores.sqlite.versions import VersionLog

__all__ = ["Retainer"]


class Retainer(VersionLog):
    """Nothing here changes what anybody can see."""

    _swept_expired: tuple[int, int]
    _swept_deleted: tuple[int, int]

    def sweep_some(self, limit: int) -> int:
        """Take at most about `limit` things off the disk that nobody can see any more; gives how many went.

        Runs inside a write. The value of an expired row goes, its version stays; a key that was gone for longer than
        the retention of its namespace is forgotten whole; an expired fork or snapshot is dropped. Each call goes on
        from where the last one stopped.
        """
        now = self._now()
        went = 0
        for id, space, key, revision, version, codec, gone in self._next_ended(now, limit):
            if codec != TOMBSTONE:
                inner = checksum(space, key.encode(), revision, TOMBSTONE, gone, b"")
                self.execute(
                    "UPDATE versions SET codec = ?, value = x'', checksum = ? WHERE id = ?", (TOMBSTONE, inner, id)
                )
                went += 1
            keep = self.one("SELECT keep_deleted FROM spaces WHERE id = ?", (space,))
            if abs(gone) + keep[0] * 1_000_000 <= now:
                went += self.forget(space, key, revision, version)
        forks = self.every("SELECT id, name FROM spaces WHERE expires <= ? AND name IS NOT NULL LIMIT 4", (now,))
        for id, name in forks:
            self.discard(Space(id, name, 0, self.lineage(id), 0, 0))
            went += 1
        self.execute("DELETE FROM snapshots WHERE expires <= ?", (now,))
        return went

    def _next_ended(self, now: int, limit: int) -> list[tuple[int, int, str, int, int, int, int]]:
        """The next rows that have expired, and the next that mark deletes, by the time of their end."""
        columns = "id, space, key, revision, version, codec, gone"
        expired = self.every(
            f"SELECT {columns} FROM versions WHERE (gone, id) > (?, ?) AND gone <= ? ORDER BY gone, id LIMIT ?",
            (*self._swept_expired, now, limit),
        )
        self._swept_expired = (expired[-1][6], expired[-1][0]) if len(expired) == limit else (0, 0)
        deleted = self.every(
            f"SELECT {columns} FROM versions WHERE (gone, id) < (?, ?) AND gone < 0"
            " ORDER BY gone DESC, id DESC LIMIT ?",
            (*self._swept_deleted, limit),
        )
        self._swept_deleted = (deleted[-1][6], deleted[-1][0]) if len(deleted) == limit else (0, 0)
        return expired + deleted

    def trim(self, space: Space, limit: int) -> int:
        first, end, now = space.id << ROW_BITS, (space.id + 1) << ROW_BITS, self._now()
        oldest = self.every(
            "SELECT id, gone FROM versions WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", (first, end, limit)
        )
        ended = [id for id, _ in takewhile(lambda row: row[1] is not None and row[1] <= now, oldest)]
        if ended:
            self.keep_counters(space.id)
            self.execute("DELETE FROM versions WHERE id >= ? AND id <= ?", (first, ended[-1]))
        return len(ended)

    def after_purge(self) -> None:
        """Write the file anew without its free pages, and empty the write-ahead log.

        Raises:
            StoreBusyError: a reader still looks at the log, which holds the erased bytes.
        """
        connection = self._connections.current()
        with self._connections.lock.held():
            connection.execute("VACUUM")
            ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy:
            raise StoreBusyError(
                "the rows are erased, but a reader keeps their bytes in the write-ahead log",
                hint="purge once more when it has finished",
            )
