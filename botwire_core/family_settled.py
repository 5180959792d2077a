"""What time makes of a family that nobody writes to, so that two looks at it can be compared.

Between the two a value, a snapshot or a fork may have expired, and a sweep may have forgotten keys that were gone for
longer than the retention of their namespace. Each store does so when it comes to it, so two copies of one family differ
by what has been done already. Settled, both have lost all that time takes up to a moment, and are equal again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Final, TypeAlias

from botwire_core.family import FamilyEnd, FamilyMember, FamilyPart, FamilyRow
from botwire_core.family_copy import FamilyCopy
from botwire_core.family_lines import part_to_line
from botwire_core.names import log_of
from botwire_core.records import record, replace
from botwire_core.stores.rows import TOMBSTONE, Row, log_digest

__all__ = ["CLOCKS_APART", "first_difference"]

CLOCKS_APART: Final = 60.0
"""By how many seconds the clocks of two stores and of this machine may differ."""

_NEVER: Final = 2**63
_Forgotten: TypeAlias = dict[int, dict[str, Row]]
"""By the number of a member and a key: the newest row of a key that a sweep may forget."""


def first_difference(one: FamilyCopy, other: FamilyCopy, moment: int) -> str | None:
    """Where two copies of a family first differ in what is left at a moment (microseconds), None where nowhere.

    The place is that of the first copy: its line and whose it is, without its key and value.
    """
    if one.digest == other.digest:
        return None
    for left, right in zip_longest(_settled(one, moment), _settled(other, moment)):
        if left is None:
            return "at its end, after which something else comes"
        if right is None or part_to_line(left.part) != part_to_line(right.part):
            return f"in line {left.line:,}, {_shown(left)}"
    return None


@record
class _Settled:
    """A part that is left, the number of its line from 1, and the member that it is of as it was."""

    line: int
    owner: FamilyMember | None
    part: FamilyPart


def _shown(settled: _Settled) -> str:
    if settled.owner is None:
        return "its end"
    name = "a namespace that was dropped" if settled.owner.name is None else repr(settled.owner.name)
    if isinstance(settled.part, FamilyRow):
        return f"revision {settled.part.row.revision:,} of {name}"
    return f"the record of {name}"


def _settled(copy: FamilyCopy, moment: int) -> Iterator[_Settled]:
    members = _left(copy.members, moment)
    forgotten = _forgotten(copy, members, moment)
    count = rows = 0
    for line, part in enumerate(copy.parts(), 1):
        if isinstance(part, FamilyEnd):
            yield _Settled(line, None, FamilyEnd(count, rows))
            continue
        number = part.number if isinstance(part, FamilyMember) else part.member
        member = members[number - 1]
        if member is None:
            continue
        left: FamilyPart | None
        if isinstance(part, FamilyMember):
            count += 1
            left = _without(member, forgotten.get(number, {}))
        else:
            left = _row_left(part, member, forgotten.get(number, {}), moment)
            rows += left is not None
        if left is not None:
            yield _Settled(line, copy.members[number - 1], left)


# --- members ---------------------------------------------------------------------------------------------------


def _left(members: list[FamilyMember], moment: int) -> list[FamilyMember | None]:
    """Each member as it is then, with its new number, and None for those that are gone."""
    ends: dict[int, int] = {}
    kept: dict[int, FamilyMember] = {}
    for one in reversed(members):
        if one.name is None or (one.expires is not None and one.expires <= moment):
            if one.number not in ends:
                continue
            one = _nameless(one, ends[one.number])
        kept[one.number] = one
        if one.parent is not None:
            ends[one.parent] = max(ends.get(one.parent, 0), one.forked_at)
    numbers = {number: new for new, number in enumerate(sorted(kept), 1)}
    named = {number: numbers[number] for number, one in kept.items() if one.name is not None}
    return [_renumbered(kept[one.number], numbers, named, moment) if one.number in kept else None for one in members]


def _nameless(member: FamilyMember, head: int) -> FamilyMember:
    """What is left of a member without a name: what its forks see, and no counters, since nobody writes to it."""
    bare = replace(member, name=None, head=head, expires=None, snapshots=(), merges=(), log_floors=())
    return replace(bare, floor=0, forgotten=0, pruned=0)


def _renumbered(member: FamilyMember, numbers: dict[int, int], named: dict[int, int], moment: int) -> FamilyMember:
    return replace(
        member,
        number=numbers[member.number],
        parent=None if member.parent is None else numbers[member.parent],
        snapshots=tuple(one for one in member.snapshots if one.expires is None or one.expires > moment),
        merges=tuple(replace(one, source=named[one.source]) for one in member.merges if one.source in named),
    )


def _without(member: FamilyMember, forgotten: dict[str, Row]) -> FamilyMember:
    """A member whose counters know that those keys were forgotten."""
    floors = dict(member.log_floors)
    for key in forgotten:
        place = log_of(key)
        if place is not None:
            digest = log_digest(place[0])
            floors[digest] = max(floors.get(digest, -1), place[1])
    return replace(
        member,
        floor=max([member.floor, *(row.version for row in forgotten.values())]),
        forgotten=max([member.forgotten, *(row.revision for row in forgotten.values())]),
        log_floors=tuple(sorted(floors.items())),
    )


# --- rows --------------------------------------------------------------------------------------------------------


def _row_left(part: FamilyRow, member: FamilyMember, forgotten: dict[str, Row], moment: int) -> FamilyRow | None:
    row = part.row
    if row.key in forgotten or (member.name is None and row.revision > member.head):
        return None
    if row.expires is not None and row.expires <= moment:
        row = replace(row, codec=TOMBSTONE, data=b"")
    return replace(part, member=member.number, row=row)


def _forgotten(copy: FamilyCopy, members: list[FamilyMember | None], moment: int) -> _Forgotten:
    """The keys that a sweep may forget whole: gone for long enough, in no fork or snapshot, and hiding nothing."""
    found: _Forgotten = {}
    for part in copy.parts():
        if not isinstance(part, FamilyRow):
            continue
        member = members[part.member - 1]
        keys = found.setdefault(part.member, {})
        if member is not None and member.name is not None and _is_long_gone(part.row, member, moment):
            keys[part.row.key] = part.row
        else:
            keys.pop(part.row.key, None)
    needed = {key for keys in found.values() for key in keys}
    if not needed:
        return {}
    pinned = _last_pins(copy.members, members)
    seen = _reach(copy.members)
    for part in copy.parts():
        if not isinstance(part, FamilyRow) or part.row.key not in needed:
            continue
        if part.row.revision <= pinned[part.member]:
            found[part.member].pop(part.row.key, None)
        for below, upto in seen[part.member]:
            if part.row.revision <= upto:
                found.get(below, {}).pop(part.row.key, None)
    return found


def _is_long_gone(row: Row, member: FamilyMember, moment: int) -> bool:
    if row.expires is None and row.codec != TOMBSTONE:
        return False
    gone = row.updated if row.expires is None else row.expires
    return gone <= moment and gone + min(member.retention.deleted_for * 1_000_000, _NEVER) <= moment


def _last_pins(before: list[FamilyMember], members: list[FamilyMember | None]) -> dict[int, int]:
    """By the old number of each member, the last of its revisions that a fork, a snapshot or a merge keeps; else -1."""
    last = {one.number: -1 for one in before}
    old = {one.number: number for number, one in enumerate(members, 1) if one is not None}
    for one in members:
        if one is None:
            continue
        if one.parent is not None:
            last[old[one.parent]] = max(last[old[one.parent]], one.forked_at)
        for merge in one.merges:
            last[old[merge.source]] = max(last[old[merge.source]], merge.revision)
        last[old[one.number]] = max([last[old[one.number]], *(snapshot.revision for snapshot in one.snapshots)])
    return last


def _reach(members: list[FamilyMember]) -> dict[int, list[tuple[int, int]]]:
    """By the number of each member: who looks into it from below, and up to which revision."""
    seen: dict[int, list[tuple[int, int]]] = {one.number: [] for one in members}
    for one in members:
        below = one
        while below.parent is not None:
            seen[below.parent].append((one.number, below.forked_at))
            below = members[below.parent - 1]
    return seen
