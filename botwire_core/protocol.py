"""The protocol: every request as a frozen piece of data, and what it gives back.

`Memory` builds ops, stores run them, the wire carries them, wrappers look at them. The docstring of
an op is its specification; `botwire_core.testing` is the proof.

A read op may carry `at`, a revision: it then sees the namespace as it stood at that revision. Every
judgement of expiry is by now, also in the past: what has expired is nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, final

from botwire_core.codec import Payload, Value
from botwire_core.records import field, record
from botwire_core.results import (
    ChangePage,
    Diff,
    Entry,
    MergeResult,
    NamespaceInfo,
    PurgeResult,
    Record,
    Retention,
    Revision,
    Stats,
)

if TYPE_CHECKING:
    from botwire_core.family import FamilyPart

__all__ = [
    "MISSING",
    "Append",
    "Check",
    "Clear",
    "Compare",
    "Delete",
    "DeleteMany",
    "DeleteSnapshot",
    "Drop",
    "Expire",
    "Export",
    "ExportAll",
    "ExportFamily",
    "Fork",
    "Get",
    "GetEntry",
    "GetHistory",
    "GetMany",
    "GetRetention",
    "GetStats",
    "Import",
    "ImportFamily",
    "Increment",
    "ListChanges",
    "ListEntries",
    "ListKeys",
    "ListNamespaces",
    "ListSnapshots",
    "Merge",
    "Missing",
    "Op",
    "Purge",
    "ReadLog",
    "Resolve",
    "Restore",
    "Search",
    "Set",
    "SetMany",
    "SetRetention",
    "Snapshot",
    "Step",
    "Strategy",
    "TimeLeft",
    "Transact",
]

R = TypeVar("R", covariant=True)


@final
class Missing:
    """The one value that stands for absence, where None could be a stored null."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
Strategy: TypeAlias = Literal["fail", "ours", "theirs"]


class Op(Generic[R]):
    """One request, as data; `R` is what a store gives back for it."""

    __slots__ = ()


# --- reads ---------------------------------------------------------------------------------------


@record
class Get(Op[Value | Missing]):
    """The value at a key as a fresh object, or `MISSING`."""

    namespace: str
    key: str
    at: int | None = None


@record
class GetEntry(Op[Entry | None]):
    """The entry at a key, or None."""

    namespace: str
    key: str
    at: int | None = None


@record
class TimeLeft(Op[float | None]):
    """The seconds until a key expires, by the store's clock; None where it never does or is not there."""

    namespace: str
    key: str
    at: int | None = None


@record
class GetMany(Op[dict[str, Value]]):
    """The values of those keys that are there, in the order asked, from one moment."""

    namespace: str
    keys: tuple[str, ...]
    at: int | None = None


@record
class ListKeys(Op[list[str]]):
    """The keys with a prefix that are above `after`, in byte order, at most `limit`."""

    namespace: str
    prefix: str = ""
    after: str | None = None
    limit: int | None = None
    at: int | None = None


@record
class ListEntries(Op[list[Entry]]):
    """The entries with a prefix in byte order of their keys, above `after`; `reverse`: in falling order, below it."""

    namespace: str
    prefix: str = ""
    after: str | None = None
    limit: int | None = None
    reverse: bool = False
    at: int | None = None


@record
class ReadLog(Op[list[Value]]):
    """The values of a log oldest first; `last`: only the newest so many."""

    namespace: str
    log: str
    last: int | None = None
    at: int | None = None


@record
class Search(Op[list[Entry]]):
    """Entries whose value matches: `where` by fields, `words` by text (`botwire_core.matching`).

    With words best match first, else newest first; ties by key.
    """

    namespace: str
    prefix: str = ""
    where: Mapping[str, Any] | None = None
    words: str | None = None
    limit: int = 10
    offset: int = 0
    at: int | None = None


@record
class GetStats(Op[Stats]):
    """How much the namespace holds."""

    namespace: str


# --- writes --------------------------------------------------------------------------------------


@record
class Set(Op[int]):
    """Write a value, give the new version. Without `ttl` (seconds) it never expires.

    `if_version` must be the current version, 0 where nothing stands, or it is a `ConflictError`.
    """

    namespace: str
    key: str
    payload: Payload
    ttl: float | None = None
    if_version: int | None = None
    author: str | None = None


@record
class Delete(Op[bool]):
    """Delete a key, tell whether it was there. A delete is a write with a version of its own."""

    namespace: str
    key: str
    if_version: int | None = None
    author: str | None = None


@record
class SetMany(Op[dict[str, int]]):
    """Write all or nothing in one transaction, give the new version of each key."""

    namespace: str
    items: tuple[tuple[str, Payload], ...]
    ttl: float | None = None
    author: str | None = None


@record
class DeleteMany(Op[int]):
    """Delete all or nothing in one transaction, give how many were there."""

    namespace: str
    keys: tuple[str, ...]
    author: str | None = None


@record
class Append(Op[list[str]]):
    """Add rows to a log in one transaction, give their keys.

    A row's key is the log, a slash and 19 digits. Numbers rise in commit order from 0 and are never used twice.
    """

    namespace: str
    log: str
    payloads: tuple[Payload, ...]
    ttl: float | None = None
    author: str | None = None


@record
class Increment(Op[int | float]):
    """Add to a number, give the new one; absent counts as 0, an expiry is kept.

    A value that is no number is an `InvalidValueError`.
    """

    namespace: str
    key: str
    by: int | float = 1
    author: str | None = None


@record
class Expire(Op[bool]):
    """Let a key expire `ttl` seconds from now (None: never), tell whether it was there. It is a write."""

    namespace: str
    key: str
    ttl: float | None
    author: str | None = None


@record
class Clear(Op[int]):
    """Delete every entry with a prefix in one transaction, give how many went."""

    namespace: str
    prefix: str = ""
    author: str | None = None


@record
class Drop(Op[bool]):
    """Delete the namespace, tell whether it was there. Its forks stay as they are."""

    namespace: str


@record
class Check(Op[None]):
    """Only in a transaction: nothing of it is done unless the key is at this version (0: absent)."""

    namespace: str
    key: str
    version: int


Step: TypeAlias = Set | Delete | Append | Increment | Expire | Check


@record
class Transact(Op[list[Any]]):
    """Steps in one namespace, all or nothing, as one revision; gives their results in order.

    Later steps see what earlier ones did.
    """

    namespace: str
    steps: tuple[Step, ...]


# --- history: stores that name "history" in their features ------------------------------------------


@record
class Fork(Op[NamespaceInfo]):
    """Make a namespace that starts as this one stands (or stood `at` a revision), copy-on-write.

    A name that exists is a `ConflictError`. After `ttl` seconds the fork expires whole.
    """

    namespace: str
    name: str
    at: int | None = None
    ttl: float | None = None


@record
class Snapshot(Op[Revision]):
    """Keep the current revision, under a label, until it is deleted or `ttl` seconds have passed.

    Without a label it is named `r` and the number, and keeping the same revision twice is no conflict;
    a label that exists is a `ConflictError`.
    """

    namespace: str
    label: str | None = None
    ttl: float | None = None


@record
class ListSnapshots(Op[list[Revision]]):
    """The snapshots of a namespace, oldest revision first."""

    namespace: str


@record
class DeleteSnapshot(Op[bool]):
    """Let go of a snapshot, tell whether it was there."""

    namespace: str
    label: str


@record
class Resolve(Op[int]):
    """The revision that a number, a snapshot's label or a datetime names; None names the current one.

    A datetime gives the last revision committed at or before it, and must know its time zone. A revision
    that is not reached yet, or an unknown label, is an `InvalidValueError`.
    """

    namespace: str
    moment: int | str | datetime | None = None


@record
class GetHistory(Op[list[Entry]]):
    """The versions of a key that are kept, newest first, inherited ones too, deletes marked; no expired ones."""

    namespace: str
    key: str
    limit: int | None = None
    at: int | None = None


@record
class Restore(Op[int]):
    """Write an old version anew, without an expiry, give the new version. Restoring a delete deletes.

    A version that is pruned or expired is a `RevisionPrunedError`.
    """

    namespace: str
    key: str
    version: int
    author: str | None = None


@record
class Compare(Op[Diff]):
    """What it takes to get from this namespace to `other`; either may be looked at in its past.

    The cost grows with what changed since their common ancestor.
    """

    namespace: str
    other: str
    at: int | None = None
    other_at: int | None = None
    prefix: str = ""


@record
class Merge(Op[MergeResult]):
    """Bring the changes that `other` made since the fork point into this namespace, in one transaction.

    Keys that both sides changed are merged inside JSON objects where the paths differ; what is left are
    conflicts: with "fail" nothing is written (`MergeResult.applied` is false), "ours" keeps this side, "theirs" the
    other. New rows of a log are appended after ours and never conflict. `keys` is a glob.
    """

    namespace: str
    other: str
    other_at: int | None = None
    strategy: Strategy = "fail"
    keys: str = "*"
    dry_run: bool = False
    author: str | None = None


@record
class Purge(Op[PurgeResult]):
    """Erase a key, and all keys under it, from the namespace, its history, all its forks, and the file.

    `target` reaches the key of that name and every key that starts with it and a slash; if it ends with a
    slash or colon, every key that starts with it.
    """

    namespace: str
    target: str


@record
class ListChanges(Op[ChangePage]):
    """The changes of whole revisions after `since` in commit order: about `limit` of them, never half a revision.

    Where deletes after `since` are no longer kept, it is a `RevisionPrunedError`.
    """

    namespace: str
    since: int = 0
    prefix: str = ""
    limit: int = 1000


@record
class Export(Op[list[Record]]):
    """A page of records in key order, above `after`, as `export` writes them."""

    namespace: str
    after: str | None = None
    limit: int = 1000
    at: int | None = None


@record
class ExportAll(Op[int]):
    """Hand all records to `write`, in pages and in key order, and give how many; all are from one moment."""

    namespace: str
    write: Callable[[Sequence[Record]], object] = field(repr=False)
    at: int | None = None


@record
class Import(Op[int]):
    """Write records in one transaction, give how many; `records` is read once, and an error in it undoes everything."""

    namespace: str
    records: Iterable[Record] = field(repr=False)
    author: str | None = None


@record
class ExportFamily(Op[int]):
    """Hand the namespace, its past and all its forks to `write`, in pages, in the order of `botwire_core.family`.

    Gives how many rows there were; all are from one moment. A namespace that is not there is an `InvalidValueError`.
    """

    namespace: str
    write: Callable[[Sequence[FamilyPart]], object] = field(repr=False)


@record
class ImportFamily(Op[int]):
    """Make a namespace, its past and its forks of parts, in one transaction, and give how many rows there were.

    It is given its name by the op, and its forks have theirs; a name that exists is a `ConflictError`. `parts` is read
    once, and an error in it undoes everything. A store that cannot keep what the family has is an `UnsupportedError`.
    """

    namespace: str
    parts: Iterable[FamilyPart] = field(repr=False)


@record
class ListNamespaces(Op[list[NamespaceInfo]]):
    """The namespaces whose names start with a prefix, in byte order."""

    prefix: str = ""


@record
class GetRetention(Op[Retention]):
    """How much of the past the namespace keeps."""

    namespace: str


@record
class SetRetention(Op[None]):
    """Say how much of the past the namespace keeps from now on; it takes effect as keys are written."""

    namespace: str
    retention: Retention
