"""What is let go: old versions, forgotten keys, and what is purged."""

from __future__ import annotations

from abc import abstractmethod

from botwire_core.names import end_of_prefix
from botwire_core.stores.changes import erased_floor, purge_reaches
from botwire_core.stores.spaces import Space
from botwire_core.stores.sql.past import SqlPast
from botwire_core.stores.sql.records import HIGHEST

__all__ = ["SqlRetention"]

_PRUNE_EVERY = 16  # versions
_LOOK = 32  # old versions at each pruning
_WHOLE_EVERY = 1024  # versions


class SqlRetention(SqlPast):
    """Nothing here changes what anybody can see, apart from `erase`."""

    PRUNE_EVERY = _PRUNE_EVERY
    """Versions of a key between two looks at its old ones: such a look costs more than a write."""

    @abstractmethod
    def keep_counters(self, space: int) -> None:
        """Make sure that the numbers of a space go on from where they are, though its newest rows go."""

    def prune(self, space: Space, key: str, version: int) -> None:
        """Remove old versions of a key that are no longer kept, now that it has come to this one."""
        # What ten thousand forks protect is not looked at each time: seldom, for those that are gone meanwhile.
        look = HIGHEST if version % _WHOLE_EVERY == 0 else space.retention.versions + _LOOK
        rows = self.every(
            f"SELECT revision FROM versions{self.BY_KEY} WHERE space = ?1 AND key = ?2 ORDER BY revision DESC LIMIT ?3",
            (space.id, key, look),
        )
        newer = rows[: space.retention.versions]
        whole_from = 0
        for (revision,) in rows[space.retention.versions :]:
            if self.pinned(space.id, revision, newer[-1][0]):
                newer.append((revision,))
            else:
                self.execute(
                    "DELETE FROM versions WHERE space = ?1 AND key = ?2 AND revision = ?3", (space.id, key, revision)
                )
                whole_from = max(whole_from, newer[-1][0])
        if whole_from:
            self.execute("UPDATE spaces SET pruned = ?1 WHERE id = ?2 AND pruned < ?1", (whole_from, space.id))

    def forget(self, space: int, key: str, revision: int, version: int) -> bool:
        """Remove every row of a key whose newest is this one, unless a fork, a snapshot or what it hides needs them."""
        oldest, newest = self.one(
            "SELECT min(revision), max(revision) FROM versions WHERE space = ?1 AND key = ?2", (space, key)
        )
        if newest != revision or self.pinned(space, oldest, HIGHEST):
            return False
        if self.newest_row(self.lineage(space)[1:], key) is not None:
            return False
        self.keep_counters(space)
        self.note_log_row(space, key)
        self.execute("DELETE FROM versions WHERE space = ?1 AND key = ?2", (space, key))
        self.execute(
            "UPDATE spaces SET floor = CASE WHEN floor < ?1 THEN ?1 ELSE floor END,"
            " forgotten = CASE WHEN forgotten < ?2 THEN ?2 ELSE forgotten END WHERE id = ?3",
            (version, revision, space),
        )
        return True

    def erase(self, spaces: list[Space], target: str) -> tuple[set[str], int]:
        keys: set[str] = set()
        count = 0
        erased: dict[int, list[tuple[int, int]]] = {}
        end = end_of_prefix(target)
        for space in spaces:
            if end is None:
                rows = self.every(
                    "SELECT key, revision, version FROM versions WHERE space = ?1 AND key >= ?2", (space.id, target)
                )
            else:
                rows = self.every(
                    "SELECT key, revision, version FROM versions WHERE space = ?1 AND key >= ?2 AND key < ?3",
                    (space.id, target, end),
                )
            gone = [row for row in rows if purge_reaches(target, row[0])]
            if not gone:
                continue
            self.keep_counters(space.id)
            for key, revision, _ in gone:
                self.note_log_row(space.id, key)
                self.execute(
                    "DELETE FROM versions WHERE space = ?1 AND key = ?2 AND revision = ?3", (space.id, key, revision)
                )
            erased[space.id] = [(revision, version) for _, revision, version in gone]
            keys |= {key for key, _, _ in gone}
            count += len(gone)
        for space in spaces:
            floor = erased_floor(space.lineage, erased)
            if floor:
                self.execute("UPDATE spaces SET floor = ?1 WHERE id = ?2 AND floor < ?1", (floor, space.id))
        return keys, count
