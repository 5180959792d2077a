"""What is let go in passing: expired values, keys that were deleted long ago, forks that ended."""

from __future__ import annotations

import time
from typing import Final, TypeAlias

from botwire_core.stores.rows import TOMBSTONE
from botwire_core.stores.spaces import Space
from botwire_postgres.tables import PostgresTables

__all__ = ["Sweeper"]

_EVERY: Final = 60.0  # seconds
_AT_ONCE: Final = 64
_Ended: TypeAlias = tuple[int, str, int, int, int, int, int]
_Place: TypeAlias = tuple[int, int, int, int]
_START: Final[_Place] = (0, 0, 0, 0)
_COLUMNS: Final = "space, key, revision, version, codec, gone, place"


class Sweeper(PostgresTables):
    """Nothing here changes what anybody can see. Namespaces that somebody is writing to are left for another time."""

    next_sweep: float = 0.0
    """By the monotonic clock."""
    _swept_expired: _Place = _START
    _swept_deleted: _Place = _START

    def sweep_is_due(self) -> bool:
        """Whether a minute has passed since this process swept last; whoever asks first has to do it."""
        now = time.monotonic()
        if now < self.next_sweep:
            return False
        self.next_sweep = now + _EVERY
        return True

    def sweep(self) -> int:
        """Take everything off the disk that nobody can see any more; gives how many rows, forks and snapshots went."""
        return self._database.run(lambda _: self._sweep_all(), None)

    def _sweep_all(self) -> int:
        total = 0
        self._swept_expired = self._swept_deleted = _START
        while True:
            went = self.sweep_some(1000)
            total += went
            if not went and self._swept_expired == self._swept_deleted == _START:
                return total

    def sweep_some(self, limit: int = _AT_ONCE) -> int:
        """Take at most about `limit` things off the disk that nobody can see any more; gives how many went.

        The value of an expired row goes, its version stays; a key that was gone for longer than the retention of its
        namespace is forgotten whole; an expired fork or snapshot is dropped. Each call goes on from where the last one
        stopped.
        """
        went = 0
        with self.exclusive():
            now = self._now()
            rows = self._next_ended(now, limit)
            free = self._lock_free({row[0] for row in rows})
            for space, key, revision, version, codec, gone, _ in rows:
                if space not in free:
                    continue
                if codec != TOMBSTONE:
                    went += self.execute(
                        "UPDATE versions SET codec = 0, value = '' WHERE space = ?1 AND key = ?2 AND revision = ?3",
                        (space, key, revision),
                    )
                if abs(gone) + free[space] * 1_000_000 <= now:
                    went += self.forget(space, key, revision, version)
            went += self._drop_expired(now)
        return went

    def _lock_free(self, spaces: set[int]) -> dict[int, float]:
        """Lock those of some spaces that nobody writes to, and give the seconds that each keeps deletes."""
        found = self.every(
            "SELECT id, keep_deleted FROM spaces WHERE id = ANY(?1) ORDER BY id FOR UPDATE SKIP LOCKED",
            (sorted(spaces),),
        )
        return dict(found)

    def _drop_expired(self, now: int) -> int:
        forks = self.every(
            "SELECT id, name FROM spaces WHERE expires <= ?1 AND name IS NOT NULL ORDER BY id LIMIT 4"
            " FOR UPDATE SKIP LOCKED",
            (now,),
        )
        went = 0
        for id, name in forks:
            lineage = self.lineage(id)
            if len(self._lock_free({level.space for level in lineage})) == len(lineage):
                self.discard(Space(id, name, 0, lineage, 0, 0))
                went += 1
        return went + self.execute("DELETE FROM snapshots WHERE expires <= ?1", (now,))

    def _next_ended(self, now: int, limit: int) -> list[_Ended]:
        """The next rows that have expired, and the next that mark deletes, by the time of their end."""
        expired = self.every(
            f"SELECT {_COLUMNS} FROM versions WHERE gone > 0 AND (gone, space, revision, place) > (?1, ?2, ?3, ?4)"
            " AND gone <= ?5 ORDER BY gone, space, revision, place LIMIT ?6",
            (*self._swept_expired, now, limit),
        )
        self._swept_expired = _place(expired[-1]) if len(expired) == limit else _START
        deleted = self.every(
            f"SELECT {_COLUMNS} FROM versions WHERE gone < 0 AND (gone, space, revision, place) < (?1, ?2, ?3, ?4)"
            " ORDER BY gone DESC, space DESC, revision DESC, place DESC LIMIT ?5",
            (*self._swept_deleted, limit),
        )
        self._swept_deleted = _place(deleted[-1]) if len(deleted) == limit else _START
        return expired + deleted


def _place(row: _Ended) -> _Place:
    return row[5], row[0], row[2], row[6]
