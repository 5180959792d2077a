"""What changed between two memories, down to the places inside JSON values.

The order of members does not count, the order of items does, and 1 is not 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botwire_core.codec import Value, to_portable
from botwire_core.records import field, record

__all__ = ["ChangedEntry", "Diff", "PathChange", "changes_inside", "same_value"]


class _Absent:
    """What stands where one side has no member."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()


@record
class PathChange:
    """A place inside a value: `path` as in `profile.tags[0]`; a side that lacks the place is `ABSENT`."""

    path: str
    before: Value
    after: Value

    def to_json(self) -> dict[str, Any]:
        """The change as JSON members; a side that lacks the place has none."""
        members: dict[str, Any] = {"path": self.path}
        if self.before is not ABSENT:
            members["before"] = self.before
        if self.after is not ABSENT:
            members["after"] = self.after
        return members


@record
class ChangedEntry:
    """A key that stands on both sides with different values; `inside` says where they differ."""

    key: str
    before: Value
    after: Value

    @property
    def inside(self) -> list[PathChange]:
        """Where the two values differ, in the order of the places."""
        return list(changes_inside(self.before, self.after))


@record
class Diff:
    """What it takes to get from one memory to another, each part in byte order of the keys.

    Prints as lines with `+`, `-` and `~`; is false where nothing differs.
    """

    before: str
    """Name of the side that is compared."""
    after: str
    """Name of the side that it is compared with."""
    added: dict[str, Value] = field(default_factory=dict)
    removed: dict[str, Value] = field(default_factory=dict)
    changed: list[ChangedEntry] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def __len__(self) -> int:
        return len(self.added) + len(self.removed) + len(self.changed)

    @property
    def keys(self) -> list[str]:
        """Every key that differs, in byte order."""
        return sorted([*self.added, *self.removed, *(entry.key for entry in self.changed)])

    def to_json(self, *, keys_only: bool = False) -> dict[str, Any]:
        """The diff as JSON members; `keys_only` leaves every value out, since memory holds personal data."""
        if keys_only:
            return {
                "before": self.before,
                "after": self.after,
                "added": list(self.added),
                "removed": list(self.removed),
                "changed": [entry.key for entry in self.changed],
            }
        return {
            "before": self.before,
            "after": self.after,
            "added": {key: to_portable(value) for key, value in self.added.items()},
            "removed": {key: to_portable(value) for key, value in self.removed.items()},
            "changed": [
                {
                    "key": entry.key,
                    "before": to_portable(entry.before),
                    "after": to_portable(entry.after),
                    "inside": []
                    if isinstance(entry.before, bytes) or isinstance(entry.after, bytes)
                    else [change.to_json() for change in entry.inside],
                }
                for entry in self.changed
            ],
        }

    def lines(self, *, keys_only: bool = False) -> Iterator[str]:
        """The diff as text, a line each: `+ key: value`, `- key: value`, `~ key`, and indented what changed inside."""
        order = {
            **{key: ("+", value) for key, value in self.added.items()},
            **{key: ("-", value) for key, value in self.removed.items()},
            **{entry.key: ("~", entry) for entry in self.changed},
        }
        for key in sorted(order):
            mark, thing = order[key]
            shown = key if key.isprintable() else ascii(key)
            if keys_only:
                yield f"{mark} {shown}"
            elif isinstance(thing, ChangedEntry):
                yield f"~ {shown}"
                for change in thing.inside:
                    place = f"{change.path}: " if change.path else ""
                    if change.before is ABSENT:
                        yield f"    + {place}{_text(change.after)}"
                    elif change.after is ABSENT:
                        yield f"    - {place}{_text(change.before)}"
                    else:
                        yield f"    ~ {place}{_text(change.before)} -> {_text(change.after)}"
            else:
                yield f"{mark} {shown}: {_text(thing)}"

    def __str__(self) -> str:
        head = f"{self.before} -> {self.after}: "
        if not self:
            return head + "no difference"
        head += f"{len(self.added)} added, {len(self.removed)} removed, {len(self.changed)} changed"
        return "\n".join([head, *self.lines()])


def same_value(one: Value, other: Value) -> bool:
    """Whether two values are the same: member order aside, and telling 1 from 1.0 and from true.

    >>> same_value({"a": 1, "b": 2}, {"b": 2, "a": 1}), same_value(1, 1.0), same_value(0.0, -0.0)
    (True, False, False)
    """
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is dict:
        return len(one) == len(other) and all(
            key in other and same_value(value, other[key]) for key, value in one.items()
        )
    if kind is list:
        return len(one) == len(other) and all(map(same_value, one, other))
    if kind is float:
        return repr(one) == repr(other)  # == takes 0.0 for -0.0
    return bool(one == other)


def changes_inside(before: Value, after: Value, path: str = "") -> Iterator[PathChange]:
    """The innermost places where two values differ, members in sorted order; nothing where they are the same.

    >>> list(changes_inside({"a": {"b": 1}}, {"a": {"b": 2, "c": 3}}))
    [PathChange(path='a.b', before=1, after=2), PathChange(path='a.c', before=ABSENT, after=3)]
    """
    if type(before) is dict and type(after) is dict:
        for name in sorted({**before, **after}):
            yield from changes_inside(before.get(name, ABSENT), after.get(name, ABSENT), _member(path, name))
    elif type(before) is list and type(after) is list:
        for i in range(max(len(before), len(after))):
            yield from changes_inside(
                before[i] if i < len(before) else ABSENT, after[i] if i < len(after) else ABSENT, f"{path}[{i}]"
            )
    elif not same_value(before, after):
        yield PathChange(path, before, after)


def _member(path: str, name: str) -> str:
    if name.isidentifier():
        return f"{path}.{name}" if path else name
    return f"{path}[{_text(name)}]"


def _text(value: Value) -> str:
    import json

    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return json.dumps(value, ensure_ascii=not _printable(value))


def _printable(value: Value) -> bool:
    # A value may hold terminal control sequences: json escapes C0, this the rest.
    if isinstance(value, str):
        return value.isprintable()
    if isinstance(value, dict):
        return all(_printable(name) and _printable(item) for name, item in value.items())
    if isinstance(value, list):
        return all(map(_printable, value))
    return True
