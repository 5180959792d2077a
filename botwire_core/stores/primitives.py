"""What a store with a past gives, so that every op of the protocol can be made of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar, Final

from botwire_core.errors import InvalidValueError, RevisionPrunedError
from botwire_core.names import check_namespace
from botwire_core.protocol import Set
from botwire_core.results import Retention, Revision
from botwire_core.stores.base import StoreBase
from botwire_core.stores.draft import Draft
from botwire_core.stores.rows import Row
from botwire_core.stores.spaces import Level, Space, View, common_ancestor
from botwire_core.stores.tally import counting

if TYPE_CHECKING:
    from botwire_core.stores.reserved import ReservedRows

__all__ = ["REPLAYS", "HistoryPrimitives"]

REPLAYS: Final = ".replays"
"""The namespace of the answers that a server keeps for retries."""


class HistoryPrimitives(StoreBase):
    """A log of versions by space, and records of the spaces; times are microseconds since the epoch."""

    @abstractmethod
    def exclusive(self) -> AbstractContextManager[None]:
        """A block in which nobody else writes, and whose writes are kept all or, where it raises, not at all."""

    @abstractmethod
    def grouped(self, namespaces: Collection[str] = ()) -> AbstractContextManager[None]:
        """An exclusive block of many parts, committed as one at its end.

        Each `exclusive` block within it, and within such a one, is a part that is undone alone where it raises.
        `namespaces` are those that the parts are going to write, as far as known: a store that locks each for itself
        locks them at the beginning and in one order, so that two groups never wait for each other.
        """

    @abstractmethod
    def grouping(self) -> bool:
        """Whether the caller is in a `grouped` block that still stands: a part can have brought all of it down."""

    def just_written(self) -> Row | None:
        """The row that the last `Set` of a group wrote, if it is known without looking; perhaps without its value."""
        return None

    SETS_TOGETHER: ClassVar[bool] = False
    """Whether `set_together` does anything."""

    def set_together(self, ops: Sequence[Set]) -> list[Row | None]:
        """The rows of sets that are done in one step in a group, perhaps without values; None for each that is not."""
        return [None] * len(ops)

    @abstractmethod
    def consistent(self) -> AbstractContextManager[None]:
        """A block whose reads all see one moment."""

    @abstractmethod
    def find(self, name: str) -> Space | None:
        """The space that has this name and has not expired."""

    @abstractmethod
    def space_of(self, id: int) -> Space | None:
        """The space with this id, a dropped one too that its forks need; None where it is gone."""

    @abstractmethod
    def find_all(self, prefix: str) -> list[Space]:
        """The spaces with a name and not expired whose names start with the prefix, in byte order."""

    @abstractmethod
    def descendants(self, space: Space) -> list[Space]:
        """Every fork of a space, and of those, at any depth; dropped ones that others still need, too."""

    @abstractmethod
    def ancestors(self, space: Space) -> list[Space]:
        """The parent of a space, and so on to the root; dropped ones too."""

    @abstractmethod
    def create(self, name: str, parent: Level | None, expires: int | None) -> Space:
        """A new space, empty, or a fork of `parent.space` at the revision `parent.upto`."""

    @abstractmethod
    def discard(self, space: Space) -> None:
        """Take the name from a space, and every row and snapshot that none of its forks needs."""

    @abstractmethod
    def insert(self, space: Space, rows: Iterable[Row], revision: int) -> None:
        """Store rows as a revision of a space."""

    @abstractmethod
    def newest_row(self, view: View, key: str) -> Row | None:
        """The newest row of a key in the first level that has one, a tombstone too."""

    @abstractmethod
    def newest_rows(self, view: View, prefix: str, after: str | None, reverse: bool) -> Iterator[Row]:
        """The same for every key with a prefix, in the order of `scan`."""

    @abstractmethod
    def past_row(self, view: View, key: str) -> Row | None:
        """`newest_row` for a view whose first level ends at a revision that nothing protects.

        Raises:
            RevisionPrunedError: the row that stood there is gone.
        """

    @abstractmethod
    def past_rows(self, view: View, prefix: str, after: str | None, reverse: bool) -> Iterator[Row]:
        """`newest_rows` for such a view."""

    @abstractmethod
    def check_kept(self, view: View) -> None:
        """Raise the `RevisionPrunedError` if any row that such a view needs is gone."""

    @abstractmethod
    def key_rows(self, view: View, key: str) -> Iterator[Row]:
        """Every kept row of a key that a view reaches, newest first."""

    @abstractmethod
    def level_rows(self, level: Level, after: int) -> Iterator[Row]:
        """The rows of a level with a revision above `after`, in commit order."""

    @abstractmethod
    def level_keys(self, level: Level, after: int) -> set[str]:
        """The keys of `level_rows`."""

    @abstractmethod
    def forgotten(self, level: Level) -> int:
        """The revision below which keys that stood at the end of a level may have been deleted and forgotten whole.

        0 where a fork, a snapshot or a merge protects the end of the level: what stood there is kept.
        """

    @abstractmethod
    def revision_at(self, level: Level, moment: int) -> int | None:
        """The last revision of a level committed at or before a moment (microseconds), None where there is none."""

    @abstractmethod
    def last_log_number(self, view: View, log: str) -> int:
        """The highest number that a row of the log ever had, -1 where it had none."""

    @abstractmethod
    def list_snapshots(self, space: Space) -> list[Revision]:
        """The snapshots of a space that have not expired, oldest revision first."""

    @abstractmethod
    def add_snapshot(
        self, space: Space, label: str, number: int, expires: int | None, created: int | None = None
    ) -> Revision:
        """Protect a revision of a space, since now or another moment; an expired snapshot of that label gives way."""

    @abstractmethod
    def remove_snapshot(self, space: Space, label: str) -> bool:
        """Let go of it, tell whether it was there."""

    @abstractmethod
    def merge_point(self, target: Space, source: int, keys: str) -> int | None:
        """The revision of the source, a space's id, up to which the target has merged these keys."""

    @abstractmethod
    def add_merge_point(self, target: Space, source: int, keys: str, revision: int) -> None:
        """Remember it, and protect that revision of the source."""

    @abstractmethod
    def merge_points(self, target: Space) -> list[tuple[int, str, int]]:
        """All merge points of a target: the id of the source, the keys, the revision."""

    # --- and what moves a family from store to store ------------------------------------------------------------

    @abstractmethod
    def rows_and_previous(self, level: Level) -> Iterator[tuple[Row, int]]:
        """The rows of a level in commit order, each with the revision of the one of its key before it, kept or not."""

    @abstractmethod
    def log_floors(self, space: Space) -> dict[bytes, int]:
        """By the digests of logs (`log_digest`), the highest number whose row was forgotten or erased."""

    @abstractmethod
    def recreate(self, space: Space, log_floors: Mapping[bytes, int]) -> Space:
        """A new space with everything that one of another store has, but for the id; its parent is of this store.

        Raises:
            UnsupportedError: this store cannot keep what the space has.
        """

    @abstractmethod
    def insert_as_they_are(self, space: Space, rows: Iterable[tuple[Row, int]]) -> int:
        """Store what `rows_and_previous` gave, in a space that has no later rows; gives how many there were.

        Raises:
            UnsupportedError: this store cannot keep rows before which others are missing.
        """

    @abstractmethod
    def set_retention(self, space: Space, retention: Retention) -> None:
        """Say how much of the past a space keeps."""

    @abstractmethod
    def erase(self, spaces: list[Space], target: str) -> tuple[set[str], int]:
        """Remove every row of the keys that `purge_reaches`; gives the keys and the number of rows."""

    @abstractmethod
    def after_purge(self) -> None:
        """Make sure, once it is committed, that no file holds a byte of what was erased."""

    @abstractmethod
    def count_forks(self, space: Space) -> int:
        """How many namespaces were forked from this one and are still there."""

    # --- and what follows from it ---------------------------------------------------------------------------

    def moment(self) -> int:
        """Now by the store's clock, microseconds since the epoch."""
        return self._now()

    def reserved(self, namespace: str) -> ReservedRows:
        """The rows that the store keeps for itself under a name: in a space, unless it has another place for them."""
        from botwire_core.stores.reserved_spaces import SpaceReservedRows

        return SpaceReservedRows(self, namespace)

    def trim(self, space: Space, limit: int) -> int:
        """Remove expired rows of a space, beginning with its oldest ones, at most so many; gives how many went.

        Stops at the first that has not expired. Only for spaces whose past nobody looks at; a store that has another
        place for its `reserved` rows needs none.
        """
        raise NotImplementedError

    def name_of(self, id: int) -> str | None:
        """The name of the space with an id, None where it was dropped, or has expired."""
        space = self.space_of(id)
        return None if space is None or (space.expires is not None and space.expires <= self._now()) else space.name

    def keep(self, space: Space, rows: Collection[Row], revision: int) -> None:
        """Store what a draft made as a revision of a space, and count it where somebody counts."""
        tally = counting.get()
        if tally is not None:
            tally.add(self.newest_row, space, rows)
        self.insert(space, rows, revision)

    def count_changed(self, spaces: list[Space]) -> dict[int, int]:
        """How many keys were written in each of some spaces, by its id; what it inherited does not count."""
        return {space.id: len(self.level_keys(space.lineage[0], 0)) for space in spaces}

    def sizes(self, space: Space) -> Iterator[tuple[str, int, int | None, int]]:
        """Key, revision, expiry and bytes of each row that a space keeps, by key and revision; a delete has none."""
        rows = sorted(self.level_rows(Level(space.id), 0), key=lambda row: (row.key, row.revision))
        return ((row.key, row.revision, row.expires, len(row.data)) for row in rows)

    def forget_answers(self, reached: Collection[str]) -> None:
        """Erase the answers kept for retries that can hold something of these namespaces, or of ones that are gone."""
        if self.reserved(REPLAYS).first_after("") is not None:
            from botwire_core.stores.replays import forget_answers

            forget_answers(self, reached)

    def view(self, namespace: str, at: int | None) -> View:
        """Where a namespace looks for its keys, now or at a revision; nothing where it is not there."""
        space = self.find(check_namespace(namespace))
        if space is not None:
            return space.view(at)
        if at:
            raise InvalidValueError(f"revision {at!r} of {namespace!r} does not exist", hint="it has none yet")
        return ()

    def draft(self, namespace: str, space: Space | None) -> Draft:
        """An empty draft on a space."""
        if space is None:
            return Draft(namespace, self._now(), lambda _, key: None)
        lineage = space.lineage
        return Draft(namespace, self._now(), lambda _, key: self.newest_row(lineage, key), space.floor, space.changed)

    def changed_keys(self, one: View, other: View) -> set[str]:
        """The keys that may differ between two views: those written since their nearest common ancestor."""
        for view in (one, other):
            # Only the first level can end at a moment that nothing protects.
            if view and view[0].upto is not None and view[0].upto < (oldest := self.forgotten(view[0])):
                raise self.pruned(view[0].upto, oldest)
        shared = common_ancestor(one, other)
        if shared is None:
            return {key for level in (*one, *other) for key in self.level_keys(level, 0)}
        i, j = shared
        keys = {key for level in (*one[:i], *other[:j]) for key in self.level_keys(level, 0)}
        bounds = [level.upto for level in (one[i], other[j]) if level.upto is not None]
        if bounds and one[i].upto != other[j].upto:
            keys |= self.level_keys(Level(one[i].space, max(bounds) if len(bounds) == 2 else None), min(bounds))
        return keys

    @staticmethod
    def pruned(revision: int, oldest: int) -> RevisionPrunedError:
        """The error for a past in which deletes may have been forgotten."""
        return RevisionPrunedError(
            f"what was deleted after revision {revision} is no longer kept",
            hint=f"revision {oldest} is the oldest that is whole; a snapshot keeps one as long as you need it",
            oldest=oldest,
        )
