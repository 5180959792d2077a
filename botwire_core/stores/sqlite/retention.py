"""What the embedded store lets go: old versions, expired values, forgotten keys, and what is purged."""

from __future__ import annotations

from itertools import takewhile

from botwire_core.errors import StoreBusyError
from botwire_core.names import end_of_prefix, log_of
from botwire_core.stores.changes import erased_floor, purge_reaches
from botwire_core.stores.rows import TOMBSTONE, log_digest
from botwire_core.stores.spaces import Space
from botwire_core.stores.sqlite.rows import checksum, log_floor_from
from botwire_core.stores.sqlite.schema import ROW_BITS
from botwire_core.stores.sqlite.versions import VersionLog

__all__ = ["Retainer"]

_LOOK = 32  # old versions at each pruning, which comes with every 16th
_WHOLE_EVERY = 1024  # versions


class Retainer(VersionLog):
    """Nothing here changes what anybody can see, apart from `erase`."""

    _swept_expired: tuple[int, int]
    _swept_deleted: tuple[int, int]

    def prune(self, space: Space, key: str, version: int) -> None:
        # What ten thousand forks protect is not looked at each time: seldom, for those that are gone meanwhile.
        look = -1 if version % _WHOLE_EVERY == 0 else space.retention.versions + _LOOK
        rows = self.every(
            "SELECT id, revision FROM versions INDEXED BY versions_by_key WHERE space = ? AND key = ?"
            " ORDER BY revision DESC LIMIT ?",
            (space.id, key, look),
        )
        newer = rows[: space.retention.versions]
        whole_from = 0
        for id, revision in rows[space.retention.versions :]:
            if self.pinned(space.id, revision, newer[-1][1]):
                newer.append((id, revision))
            else:
                self.execute("DELETE FROM versions WHERE id = ?", (id,))
                whole_from = max(whole_from, newer[-1][1])
        if whole_from:
            self.execute("UPDATE spaces SET pruned = max(pruned, ?) WHERE id = ?", (whole_from, space.id))

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
                went += self._forget(space, key, revision, version)
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

    def _forget(self, space: int, key: str, revision: int, version: int) -> bool:
        """Remove every row of a key whose newest is this one, unless a fork, a snapshot or what it hides needs them."""
        oldest, newest = self.one(
            "SELECT min(revision), max(revision) FROM versions WHERE space = ? AND key = ?", (space, key)
        )
        if newest != revision or self.pinned(space, oldest, 2**62):
            return False
        if self.newest_row(self.lineage(space)[1:], key) is not None:
            return False
        self._keep_counters(space)
        self._note_log_row(space, key)
        self.execute("DELETE FROM versions WHERE space = ? AND key = ?", (space, key))
        self.execute(
            "UPDATE spaces SET floor = max(floor, ?), forgotten = max(forgotten, ?) WHERE id = ?",
            (version, revision, space),
        )
        return True

    def trim(self, space: Space, limit: int) -> int:
        first, end, now = space.id << ROW_BITS, (space.id + 1) << ROW_BITS, self._now()
        oldest = self.every(
            "SELECT id, gone FROM versions WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", (first, end, limit)
        )
        ended = [id for id, _ in takewhile(lambda row: row[1] is not None and row[1] <= now, oldest)]
        if ended:
            self._keep_counters(space.id)
            self.execute("DELETE FROM versions WHERE id >= ? AND id <= ?", (first, ended[-1]))
        return len(ended)

    def erase(self, spaces: list[Space], target: str) -> tuple[set[str], int]:
        keys: set[str] = set()
        count = 0
        erased: dict[int, list[tuple[int, int]]] = {}
        for space in spaces:
            rows = self.every(
                "SELECT id, key, revision, version FROM versions"
                " WHERE space = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3)",
                (space.id, target, end_of_prefix(target)),
            )
            gone = [row for row in rows if purge_reaches(target, row[1])]
            if not gone:
                continue
            self._keep_counters(space.id)
            for id, key, _, _ in gone:
                self._note_log_row(space.id, key)
                self.execute("DELETE FROM versions WHERE id = ?", (id,))
            erased[space.id] = [(revision, version) for _, _, revision, version in gone]
            keys |= {key for _, key, _, _ in gone}
            count += len(gone)
        for space in spaces:
            floor = erased_floor(space.lineage, erased)
            if floor:
                self.execute("UPDATE spaces SET floor = max(floor, ?) WHERE id = ?", (floor, space.id))
        return keys, count

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

    def log_floor(self, space: int, log: str) -> int:
        found = self.one("SELECT log, number FROM log_floors WHERE space = ? AND log = ?", (space, log_digest(log)))
        return -1 if found is None else log_floor_from(*found)[1]

    def _note_log_row(self, space: int, key: str) -> None:
        place = log_of(key)
        if place is not None and place[1] > self.log_floor(space, place[0]):
            self.execute(
                "INSERT OR REPLACE INTO log_floors (space, log, number) VALUES (?, ?, ?)",
                (space, log_digest(place[0]), str(place[1])),
            )

    def _keep_counters(self, space: int) -> None:
        """Make sure that revisions and row ids go on from where they are, though the newest rows go."""
        self.execute(
            "UPDATE spaces SET last_row = max(last_row, ?1 - ?2), head = max(head, forked_at, coalesce("
            "(SELECT revision FROM versions WHERE id >= ?2 AND id <= ?1 ORDER BY id DESC LIMIT 1), 0)) WHERE id = ?3",
            (self._last_row(space), space << ROW_BITS, space),
        )
