"""Rows that a store with a past keeps for itself: tokens, answers for retries, quotas, and what it knows of scopes.

They stand under names that start with a dot, which `check_namespace` refuses, so no user can type one. Where a store
gives no rows of its own, they are rows of spaces: see `reserved_spaces`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from botwire_core.codec import Value
from botwire_core.stores.rows import Row

__all__ = ["ReservedRows", "is_reserved"]


def is_reserved(namespace: str) -> bool:
    """Whether a namespace is one of the store's own."""
    return namespace.startswith(".")


class ReservedRows(ABC):
    """The rows under one reserved name, without a past: a value, when it was written, and when it expires.

    Whoever writes is in an exclusive block of the store, and what he writes is undone with the block. It is stored by
    `commit`; until then, `row` sees it and the other reads do not. Keys are compared by their bytes; times are
    microseconds since the epoch.
    """

    @property
    @abstractmethod
    def now(self) -> int:
        """The moment by which expiry is judged; it moves on with a `commit` at most."""

    # --- reads ----------------------------------------------------------------------------------------------

    @abstractmethod
    def load(self, keys: Iterable[str]) -> None:
        """Look in one step at keys that are going to be asked for, and hold them until the end of an exclusive block.

        Another block that loads one of them waits until then, whether a row is there or not; so what comes of a look
        at the rows is still so when it is written. A store whose blocks wait for each other anyhow does nothing, and
        does not even go through the keys.
        """

    @abstractmethod
    def row(self, key: str) -> Row | None:
        """The live row of a key."""

    @abstractmethod
    def rows(self, prefix: str) -> list[Row]:
        """The live rows that are stored under a prefix, in byte order of their keys."""

    @abstractmethod
    def first_after(self, after: str) -> Row | None:
        """The stored row with the lowest key above another, one that has expired too."""

    # --- writes ---------------------------------------------------------------------------------------------

    @abstractmethod
    def put(self, key: str, value: Value, expires: int | None) -> None:
        """Let a value stand at a key until it expires; None: for good."""

    @abstractmethod
    def add(self, log: str, value: Value, expires: int | None) -> None:
        """Put a value under `<log>/` after all others that were added under that name."""

    @abstractmethod
    def remove(self, keys: Iterable[str]) -> None:
        """Take keys away, those that are there."""

    @abstractmethod
    def commit(self) -> None:
        """Store what was written, as far as the block that it is in is kept."""

    @abstractmethod
    def erase(self, keys: Iterable[str]) -> None:
        """Store what was written, then remove keys so that `after_purge` leaves no byte of what stood there."""

    @abstractmethod
    def forget_expired(self, limit: int) -> int:
        """Remove stored rows that have expired, beginning with the oldest, at most so many; gives how many went.

        Maybe fewer than have expired: it is about the disk only.
        """
