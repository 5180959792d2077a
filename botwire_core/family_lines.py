"""A family as text: JSON Lines, of which the first says what it is, and each of the others is one part."""

from __future__ import annotations

import base64
from collections.abc import Callable
from math import inf
from typing import Any, Final, TypeVar

import orjson

from botwire_core.codec import BYTES, Payload, encode, from_portable
from botwire_core.errors import InvalidValueError
from botwire_core.exchange import parse_json
from botwire_core.family import FamilyEnd, FamilyMember, FamilyPart, FamilyRow, FamilySnapshot, MergePoint
from botwire_core.results import Retention
from botwire_core.stores.rows import TOMBSTONE, Row

__all__ = ["FAMILY_HEADER", "is_family_header", "line_to_part", "part_to_line"]

FAMILY_HEADER: Final = b'{"botwire":"family","format":1}\n'
"""The first line. No record of a plain export looks like it, so `import_` knows one from the other."""

T = TypeVar("T")
_DIGEST_BYTES = 16


def is_family_header(line: bytes) -> bool:
    """Whether a line is the first one of a family.

    Raises:
        InvalidValueError: it is the first one of something that this version does not know.
    """
    if b'"botwire"' not in line or len(line) > 1000:
        return False
    try:
        members = parse_json(line)
    except InvalidValueError:
        return False  # what is wrong with it as a record is told where it is read as one
    if not isinstance(members, dict) or "botwire" not in members:
        return False
    if members != {"botwire": "family", "format": 1} or type(members["format"]) is not int:
        raise InvalidValueError(
            "this format is unknown", hint="a newer BotWire wrote it: pip install --upgrade botwire"
        )
    return True


def part_to_line(part: FamilyPart) -> bytes:
    """The line of a part, newline included; the same part always gives the same bytes."""
    match part:
        case FamilyRow():
            return _row_line(part)
        case FamilyEnd():
            return orjson.dumps({"end": {"members": part.members, "rows": part.rows}}) + b"\n"
        case FamilyMember():
            return _member_line(part)


def line_to_part(line: bytes) -> FamilyPart:
    """The part of a line.

    Raises:
        InvalidValueError: it is not UTF-8 or not strict JSON, or no part of a family.
    """
    members = _Members(parse_json(line))
    if "end" in members.left:
        end = _Members(members.take("end"))
        part: FamilyPart = FamilyEnd(end.integer("members"), end.integer("rows"))
        end.finish()
    elif "key" in members.left:
        part = _row(members)
    else:
        part = _member(members)
    members.finish()
    return part


def _row_line(part: FamilyRow) -> bytes:
    row = part.row
    rest: dict[str, Any] = {
        "version": row.version,
        "revision": row.revision,
        "previous": part.previous,
        "created": row.created,
        "updated": row.updated,
    }
    if row.expires is not None:
        rest["expires"] = row.expires
    if row.author is not None:
        rest["author"] = row.author
    line = b'{"member":%d,"key":%b,%b' % (part.member, orjson.dumps(row.key), orjson.dumps(rest)[1:-1])
    if row.codec == TOMBSTONE:
        return line + b"}\n"
    if row.codec == BYTES:
        return line + b',"value":"' + base64.b64encode(row.data) + b'","encoding":"base64"}\n'
    return line + b',"value":' + row.data + b"}\n"


def _row(members: _Members) -> FamilyRow:
    payload = Payload(TOMBSTONE, b"")
    number = members.integer("member")
    key = members.text("key")
    if "value" in members.left:
        value = {"value": members.take("value")}
        if "encoding" in members.left:
            value["encoding"] = members.take("encoding")
        payload = encode(from_portable(value))
    row = Row(
        key,
        members.integer("version"),
        members.integer("revision"),
        payload.codec,
        payload.data,
        members.integer("created"),
        members.integer("updated"),
        members.optional("expires", members.integer),
        members.optional("author", members.text),
    )
    return FamilyRow(number, row, members.integer("previous"))


def _member_line(part: FamilyMember) -> bytes:
    kept_for = float(part.retention.deleted_for)
    members: dict[str, Any] = {
        "member": part.number,
        "name": part.name,
        "parent": part.parent,
        "forked_at": part.forked_at,
        "head": part.head,
        "created": part.created,
        "expires": part.expires,
        "floor": part.floor,
        "forgotten": part.forgotten,
        "pruned": part.pruned,
        "retention": {"versions": part.retention.versions, "deleted_for": None if kept_for == inf else kept_for},
        "snapshots": [
            {"label": one.label, "revision": one.revision, "created": one.created, "expires": one.expires}
            for one in part.snapshots
        ],
        "merges": [{"source": one.source, "keys": one.keys, "revision": one.revision} for one in part.merges],
        "log_floors": {digest.hex(): number for digest, number in part.log_floors},
    }
    return orjson.dumps(members) + b"\n"


def _member(members: _Members) -> FamilyMember:
    retention = _Members(members.take("retention"))
    snapshots = [_Members(one) for one in members.listed("snapshots")]
    merges = [_Members(one) for one in members.listed("merges")]
    part = FamilyMember(
        members.integer("member"),
        members.nullable("name", members.text),
        members.nullable("parent", members.integer),
        members.integer("forked_at"),
        members.integer("head"),
        members.integer("created"),
        members.nullable("expires", members.integer),
        members.integer("floor"),
        members.integer("forgotten"),
        members.integer("pruned"),
        Retention(retention.integer("versions"), _kept_for(retention.take("deleted_for"))),
        tuple(
            FamilySnapshot(
                one.text("label"),
                one.integer("revision"),
                one.integer("created"),
                one.nullable("expires", one.integer),
            )
            for one in snapshots
        ),
        tuple(MergePoint(one.integer("source"), one.text("keys"), one.integer("revision")) for one in merges),
        _log_floors(members.take("log_floors")),
    )
    for inner in (retention, *snapshots, *merges):
        inner.finish()
    return part


def _kept_for(seconds: Any) -> float:
    if seconds is None:
        return inf
    if type(seconds) not in (int, float) or not 0 <= seconds < inf:
        raise InvalidValueError(f"deleted_for: {seconds!r} is not a number of seconds")
    return float(seconds)


def _log_floors(floors: Any) -> tuple[tuple[bytes, int], ...]:
    members = _Members(floors)
    names = list(members.left)
    if names != sorted(names) or not all(_is_digest(name) for name in names):
        raise InvalidValueError("log_floors: not digests in rising order")
    return tuple((bytes.fromhex(name), members.integer(name)) for name in names)


def _is_digest(name: str) -> bool:
    return len(name) == 2 * _DIGEST_BYTES and not name.strip("0123456789abcdef")


class _Members:
    """The members of a JSON object, each taken once; what is left over at the end is unknown."""

    def __init__(self, members: Any) -> None:
        if not isinstance(members, dict):
            raise InvalidValueError(f"{_shown(members)} is not a JSON object")
        self.left: dict[str, Any] = members

    def take(self, name: str) -> Any:
        if name not in self.left:
            raise InvalidValueError(f"{name}: missing")
        return self.left.pop(name)

    def integer(self, name: str) -> int:
        value = self.take(name)
        if type(value) is not int or not 0 <= value < 2**64:
            raise InvalidValueError(f"{name}: {_shown(value)} is not an integer of at least 0 and at most 64 bits")
        return value

    def text(self, name: str) -> str:
        value = self.take(name)
        if not isinstance(value, str):
            raise InvalidValueError(f"{name}: {_shown(value)} is not text")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidValueError(f"{name}: half a surrogate pair is not text") from error
        return value

    def listed(self, name: str) -> list[Any]:
        value = self.take(name)
        if not isinstance(value, list):
            raise InvalidValueError(f"{name}: {_shown(value)} is not a list")
        return value

    def nullable(self, name: str, read: Callable[[str], T]) -> T | None:
        if name in self.left and self.left[name] is None:
            del self.left[name]
            return None
        return read(name)

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        return read(name) if name in self.left else None

    def finish(self) -> None:
        if self.left:
            raise InvalidValueError(f"the member {min(self.left)!r} is unknown")


def _shown(value: Any) -> str:
    text = ascii(value) if not isinstance(value, int) or abs(value) < 10**20 else "an integer of that size"
    return text if len(text) <= 60 else f"{text[:57]}..."
