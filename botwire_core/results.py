"""What ops give back: frozen, with fresh values, times in UTC, seconds and bytes as the only units."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botwire_core.codec import Value, to_portable
from botwire_core.diff import Diff
from botwire_core.errors import InvalidValueError
from botwire_core.records import field, record

__all__ = [
    "Change",
    "ChangePage",
    "Conflict",
    "Diff",
    "Entry",
    "MergeResult",
    "NamespaceInfo",
    "PurgeResult",
    "Record",
    "Retention",
    "Revision",
    "Stats",
]


_MOST_VERSIONS = 2**32
"""More than a namespace can have."""


@record
class Entry:
    """What stands at a key.

    `version` counts the writes of the key, `revision` the committed transactions of the namespace. `created_at`
    is when the key last came to be, `updated_at` when this version was written. `deleted` marks, in a history,
    the version that took the key away; its value is None.
    """

    key: str
    value: Value
    version: int
    revision: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    author: str | None = None
    deleted: bool = False

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON members; times as epoch seconds, bytes as base64."""
        return {
            "key": self.key,
            **to_portable(self.value),
            "version": self.version,
            "revision": self.revision,
            "created_at": self.created_at.timestamp(),
            "updated_at": self.updated_at.timestamp(),
            "expires_at": self.expires_at.timestamp() if self.expires_at else None,
            "author": self.author,
            "deleted": self.deleted,
        }


@record
class Revision:
    """A committed revision of a namespace; `label` where a snapshot keeps it."""

    number: int
    label: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None

    def __int__(self) -> int:
        return self.number


@record
class NamespaceInfo:
    """A namespace: its current revision, and which one it was forked from and where."""

    name: str
    revision: int
    created_at: datetime
    parent: str | None = None
    """The namespace it was forked from, None for a root and where the parent has been dropped."""
    forked_at: int | None = None
    """The revision of the parent that it starts from, None for a root."""
    expires_at: datetime | None = None
    changed_keys: int = 0
    """How many keys were written in it since it was made."""


@record
class Stats:
    """How much a namespace holds.

    `keys` and `bytes` count what is visible, inherited entries too; `bytes` are those of the stored values.
    `writes_today` counts entries written since midnight UTC.
    """

    namespace: str
    keys: int
    bytes: int
    revision: int
    forks: int
    snapshots: int
    writes_today: int


@record
class Change:
    """One write of one key, as `watch` tells it; `entry.deleted` marks deletes and what has expired since."""

    revision: int
    entry: Entry

    @property
    def key(self) -> str:
        """What was written."""
        return self.entry.key

    @property
    def deleted(self) -> bool:
        """Whether the write took the key away."""
        return self.entry.deleted

    @property
    def value(self) -> Value:
        """What stands there since; None where it was deleted."""
        return self.entry.value


@record
class ChangePage:
    """Changes in commit order; all up to `revision` are told, and the next page starts there."""

    changes: list[Change]
    revision: int


@record
class Conflict:
    """A key that both sides changed in ways that cannot both stand.

    `path` is the place inside the JSON value, empty where it is the whole; an absent side is `MISSING`.
    """

    key: str
    path: tuple[str, ...]
    base: Value
    ours: Value
    theirs: Value


@record
class MergeResult:
    """What a merge did, or with `dry_run` would do.

    `written` and `deleted` are keys in byte order, `appended` the new log rows. `snapshot` is the label under
    which the target as it was before is kept for seven days; None where nothing was written.
    """

    applied: bool
    written: list[str]
    deleted: list[str]
    appended: list[str]
    conflicts: list[Conflict]
    snapshot: str | None = None
    revision: int = 0

    @property
    def ok(self) -> bool:
        """Whether every change found its place without a conflict."""
        return not self.conflicts


@record
class PurgeResult:
    """What an erasure reached.

    `keys` are erased, from `namespaces` (this one and its forks) and `versions` rows in all; `ancestors` still
    hold one of the keys: hidden from here, not erased there. `not_reached` names what no store can reach, such as
    backups.
    """

    keys: list[str]
    versions: int
    namespaces: list[str]
    ancestors: list[str] = field(default_factory=list)
    not_reached: list[str] = field(default_factory=list)


@record
class Retention:
    """How much of the past a namespace keeps beyond what its forks and snapshots need.

    At least the newest `versions` of every key are kept; a key that is gone is forgotten whole after
    `deleted_for` seconds.
    """

    versions: int = 64
    deleted_for: float = 30 * 86400.0

    def __post_init__(self) -> None:
        if type(self.versions) is not int or not 1 <= self.versions <= _MOST_VERSIONS:
            raise InvalidValueError(
                f"versions: {self.versions!r} is not an integer of at least 1", hint=f"at most {_MOST_VERSIONS:,}"
            )
        if not isinstance(self.deleted_for, int | float) or not self.deleted_for >= 0:
            raise InvalidValueError(f"deleted_for: {self.deleted_for!r} is not a number of seconds")


@record
class Record:
    """One line of an export: a key, its value and its expiry (epoch seconds), and nothing that differs by machine."""

    key: str
    value: Value
    expires_at: float | None = None
