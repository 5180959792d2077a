"""A family: a namespace with its whole past, what it inherits, and all its forks, as parts that move between stores.

The members come first, parents before their forks: the line above the namespace down to it, then everything that was
forked from it. What is above is there only as far as it is inherited, and has no name; so is what was dropped and only
its forks still need. Then come the rows, member by member and in commit order, and last the end, which tells a family
that is whole from one that was cut off. Times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from botwire_core.errors import InvalidValueError
from botwire_core.names import check_key, check_label, check_namespace
from botwire_core.records import field, record
from botwire_core.results import Retention
from botwire_core.stores.rows import TOMBSTONE, Row

__all__ = ["FamilyEnd", "FamilyMember", "FamilyPart", "FamilyRow", "FamilySnapshot", "MergePoint", "check_family"]

MAX_COUNT: Final = 2**62
_LAST_MOMENT: Final = 253_402_300_799_999_999  # of the year 9999, which is how far a datetime goes
_MAX_LOG_NUMBER: Final = 10**19 - 1


@record
class FamilySnapshot:
    """A revision that a label keeps."""

    label: str
    revision: int
    created: int
    expires: int | None = None


@record
class MergePoint:
    """Up to which revision of another member these keys (a glob) have been merged."""

    source: int
    keys: str
    revision: int


@record
class FamilyMember:
    """A namespace of a family; `number` counts from 1, and `parent` is the number of the one it was forked from.

    `head`, `floor`, `forgotten` and `pruned` are the counters of `botwire_core.stores.spaces.Space`. A log floor is
    the digest of a log's name, with the highest number of a row of it that was forgotten or erased.
    """

    number: int
    name: str | None
    parent: int | None
    forked_at: int
    head: int
    created: int
    expires: int | None = None
    floor: int = 0
    forgotten: int = 0
    pruned: int = 0
    retention: Retention = Retention()
    snapshots: tuple[FamilySnapshot, ...] = ()
    merges: tuple[MergePoint, ...] = ()
    log_floors: tuple[tuple[bytes, int], ...] = ()


@record
class FamilyRow:
    """A version that a member keeps; `previous` is the revision of the one before it, kept or not, 0 for the first.

    The value of what has expired is left out, as a sweep of the store would.
    """

    member: int
    row: Row
    previous: int


@record
class FamilyEnd:
    """The last part: how many members and rows came before it."""

    members: int
    rows: int


FamilyPart: TypeAlias = FamilyMember | FamilyRow | FamilyEnd


def check_family(parts: Iterable[FamilyPart]) -> Iterator[FamilyPart]:
    """Give parts on as they come, if each of them can follow those before it.

    Raises:
        InvalidValueError, InvalidKeyError, InvalidNamespaceError: one cannot, or the end is missing.
    """
    rules = _Rules()
    for part in parts:
        match part:
            case _ if rules.ended:
                raise InvalidValueError("something comes after the end")
            case FamilyMember():
                rules.member(part)
            case FamilyRow():
                rules.row(part)
            case FamilyEnd():
                rules.end(part)
        yield part
    if not rules.ended:
        raise InvalidValueError("the end is missing", hint="it was cut off: take a whole copy; nothing was imported")


@record(frozen=False)
class _Rules:
    """What has come so far, as far as it decides what may come next."""

    members: list[FamilyMember] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    namespace: int = 0
    """The number of the first member with a name, whose family it is; 0 before it."""
    rows: int = 0
    current: int = 0
    """The member whose rows come; 0 before the first."""
    revision: int = 0
    updated: int = 0
    newest: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of the current member: the revision and the version of the newest row of each key."""
    ended: bool = False

    def member(self, one: FamilyMember) -> None:
        _require(self.current == 0, "a member comes after a row")
        _require(one.number == len(self.members) + 1, f"member {one.number} comes where {len(self.members) + 1} should")
        if one.name is not None:
            check_namespace(one.name)
            _require(one.name not in self.names, f"the namespace {one.name!r} comes twice")
            self.names.add(one.name)
        parent = self._parent(one)
        start = parent.forked_at if parent else 0
        _count(one.forked_at, "forked_at", start, parent.head if parent else 0)
        _count(one.head, "head", one.forked_at)
        _count(one.floor, "floor")
        _count(one.forgotten, "forgotten", 0, one.head)
        _count(one.pruned, "pruned", 0, one.head)
        _moment(one.created, "created")
        _moment(one.expires, "expires")
        _require(one.name is not None or not (one.snapshots or one.merges), "snapshots or merges of what has no name")
        for snapshot in one.snapshots:
            check_label(snapshot.label)
            _count(snapshot.revision, "a snapshot's revision", 0, one.head)
            _moment(snapshot.created, "created")
            _moment(snapshot.expires, "expires")
        _require(len({snapshot.label for snapshot in one.snapshots}) == len(one.snapshots), "a label comes twice")
        for _, number in one.log_floors:
            _count(number, "a log's floor", 0, _MAX_LOG_NUMBER)
        self.members.append(one)
        if one.name is not None and not self.namespace:
            self.namespace = one.number

    def _parent(self, one: FamilyMember) -> FamilyMember | None:
        if one.number == 1:
            _require(one.parent is None, "the first member has a parent")
            return None
        _require(one.parent is not None and 1 <= one.parent < one.number, f"parent: {one.parent!r} came not before it")
        assert one.parent is not None
        if self.namespace:
            _require(one.parent >= self.namespace, f"member {one.number} is no fork of the namespace")
        else:
            _require(one.parent == one.number - 1, "the line above the namespace branches off")
        return self.members[one.parent - 1]

    def row(self, one: FamilyRow) -> None:
        self._check_members()
        _require(self.current <= one.member <= len(self.members) and one.member > 0, f"member: {one.member} comes late")
        member = self.members[one.member - 1]
        if one.member != self.current:
            self.current, self.revision, self.updated = one.member, member.forked_at + 1, 0
            self.newest.clear()
        row = one.row
        key = check_key(row.key)
        before, version = self.newest.get(key, (0, 0))
        _count(row.revision, "revision", self.revision, member.head)
        _count(row.version, "version", version + 1)
        _count(one.previous, "previous", before, row.revision - 1)
        _require(one.previous == before or member.pruned >= row.revision, "pruned is below a row before which some are")
        _moment(row.created, "created")
        _moment(row.updated, "updated", self.updated)
        _moment(row.expires, "expires")
        _require(row.codec != TOMBSTONE or not row.data, "a delete has a value")
        self.revision, self.updated = row.revision, row.updated
        self.newest[key] = row.revision, row.version
        self.rows += 1

    def end(self, one: FamilyEnd) -> None:
        self._check_members()
        for what, told, came in (("members", one.members, len(self.members)), ("rows", one.rows, self.rows)):
            _require(told == came, f"{came} {what} came, and there should be {told}")
        self.ended = True

    def _check_members(self) -> None:
        """What can be judged of members once all of them are there."""
        if self.current:
            return
        _require(self.namespace > 0, "no member has a name")
        for member in self.members:
            for merge in member.merges:
                _require(1 <= merge.source <= len(self.members), f"source: there is no member {merge.source}")
                _count(merge.revision, "a merge's revision", 0, self.members[merge.source - 1].head)
            merged = {(merge.source, merge.keys) for merge in member.merges}
            _require(len(merged) == len(member.merges), "a merge comes twice")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InvalidValueError(otherwise, hint="take another copy of the file; nothing was imported")


def _count(number: int, what: str, low: int = 0, high: int = MAX_COUNT) -> None:
    _require(low <= number <= high, f"{what}: {number} is not from {low} to {high}")


def _moment(microseconds: int | None, what: str, low: int = 0) -> None:
    if microseconds is not None:
        _count(microseconds, what, low, _LAST_MOMENT)
