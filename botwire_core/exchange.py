"""Memory as text: a record as a line of JSON, and back.

A line is `{"key": ..., "value": ...}`, for bytes with `"encoding": "base64"`, and with `"expires_at"` (epoch seconds)
where the entry expires. Nothing in it differs by machine or by moment, so equal memory gives equal bytes; the order
of members inside a value is a part of the value, and is kept.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Any, Final

from botwire_core.codec import BYTES, encode, from_portable
from botwire_core.errors import InvalidValueError, MalformedJsonError
from botwire_core.names import check_key
from botwire_core.results import Record

__all__ = ["MAX_LINE_BYTES", "line_to_record", "parse_json", "record_to_line"]

MAX_LINE_BYTES: Final = 128 * 1024 * 1024
"""A value of 16 MiB, with each of its characters escaped, and its key."""

_LAST_SECOND = 253_402_300_799  # of the year 9999, which is how far a datetime goes
_MEMBERS = frozenset({"key", "value", "encoding", "expires_at"})


def record_to_line(record: Record) -> bytes:
    r"""The line of a record, newline included.

    >>> record_to_line(Record("likes", ["tea"]))
    b'{"key":"likes","value":["tea"]}\n'
    """
    payload = encode(record.value)
    if payload.codec == BYTES:
        value = b'"' + base64.b64encode(payload.data) + b'","encoding":"base64"'
    else:
        value = payload.data
    expiry = b"" if record.expires_at is None else b',"expires_at":' + encode(float(record.expires_at)).data
    return b'{"key":' + encode(record.key).data + b',"value":' + value + expiry + b"}\n"


def line_to_record(line: bytes) -> Record:
    """The record of a line.

    Raises:
        InvalidValueError: it is not UTF-8 or not strict JSON, or not a record.
        InvalidKeyError: its key breaks a rule.

    >>> line_to_record(b'{"key": "n", "value": 1}')
    Record(key='n', value=1, expires_at=None)
    """
    members = parse_json(line)
    if not isinstance(members, dict):
        raise InvalidValueError("not a JSON object", hint='write {"key": ..., "value": ...}')
    if unknown := members.keys() - _MEMBERS:
        raise InvalidValueError(
            f"the member {min(unknown)!r} is unknown", hint=f"known are {', '.join(sorted(_MEMBERS))}"
        )
    if "key" not in members:
        raise InvalidValueError("key: missing")
    value = from_portable(members)
    encode(value)  # what no store would keep is refused here, where the line is known
    return Record(check_key(members["key"]), value, _expiry(members.get("expires_at")))


def parse_json(line: bytes) -> Any:
    """The value of strict JSON text in UTF-8: no NaN, no member twice.

    Raises:
        MalformedJsonError: it is no JSON at all; the message says where.
        InvalidValueError: it is JSON of a kind that cannot be kept exactly.
    """
    try:
        text = line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJsonError(f"byte {error.start + 1} is not UTF-8", hint="write UTF-8") from error
    if text.startswith("\ufeff"):
        raise MalformedJsonError("begins with a byte order mark", hint="write UTF-8 without one")
    try:
        return json.loads(text, object_pairs_hook=_members, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise MalformedJsonError(f"not JSON, at column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise InvalidValueError("nested too deep") from error
    except InvalidValueError:
        raise
    except ValueError as error:  # an integer of more digits than Python converts
        raise InvalidValueError(f"not JSON that can be kept: {error}") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # One pass: counting each name would take minutes for a hostile megabyte.
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise InvalidValueError(f"the member {twice!r} comes twice in an object")
    return members


def _refuse_constant(name: str) -> Any:
    raise InvalidValueError(f"{name} is not JSON")


def _expiry(expires_at: Any) -> float | None:
    if expires_at is None:
        return None
    if type(expires_at) in (int, float) and 0 <= expires_at <= _LAST_SECOND:
        return float(expires_at)
    raise InvalidValueError(f"expires_at: {expires_at!r} is not a time", hint="use seconds since 1970 in UTC")
