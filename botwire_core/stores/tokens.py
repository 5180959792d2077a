"""Tokens, each a row of the reserved namespace `.tokens` at the hexadecimal digits of its digest.

The id of a token is the first twelve of them, so whoever has it finds the row without another index. It tells nothing
of the token: 48 bits of the SHA-256 of a secret that has 178.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from botwire_core.arguments import check_ttl
from botwire_core.clock import from_microseconds
from botwire_core.codec import Value
from botwire_core.errors import ConflictError, InvalidValueError
from botwire_core.names import check_label
from botwire_core.service import CreateToken, FindToken, Grant, ListTokens, RevokeToken, Token, TouchToken
from botwire_core.stores.base import expiry
from botwire_core.stores.primitives import HistoryPrimitives
from botwire_core.stores.reserved import ReservedRows
from botwire_core.stores.rows import Row

__all__ = ["RUNNERS", "TOKENS"]

TOKENS: Final = ".tokens"
_ID_CHARACTERS: Final = 12
_TOUCH_EVERY: Final = 3_600_000_000  # microseconds


def _create(store: HistoryPrimitives, op: CreateToken) -> Token:
    if type(op.digest) is not bytes or len(op.digest) != 32:
        raise InvalidValueError("digest: not the SHA-256 of a token", hint="hash the whole token: 32 bytes")
    if not op.grants:
        raise InvalidValueError("a token without grants is good for nothing", hint="grant it at least one verb")
    label = None if op.label is None else check_label(op.label)
    check_ttl(op.ttl)
    key = op.digest.hex()
    with store.exclusive():
        rows = store.reserved(TOKENS)
        if _row_of(rows, key[:_ID_CHARACTERS]) is not None:
            raise ConflictError("this token, or one with its id, is there already", hint="make another one")
        value = {
            "grants": [[grant.pattern, sorted(grant.verbs)] for grant in op.grants],
            "label": label,
            "created": rows.now,
            "expires": expiry(rows.now, op.ttl),
            "revoked": None,
            "used": None,
        }
        rows.put(key, value, None)
        rows.commit()
    return _token(key, value)


def _find(store: HistoryPrimitives, op: FindToken) -> Token | None:
    with store.consistent():
        row = store.reserved(TOKENS).row(op.digest.hex())
    return None if row is None else _token(row.key, row.value)


def _list(store: HistoryPrimitives, op: ListTokens) -> list[Token]:
    with store.consistent():
        found = [_token(row.key, row.value) for row in store.reserved(TOKENS).rows("")]
    return sorted(found, key=lambda token: (token.created_at, token.id))


def _revoke(store: HistoryPrimitives, op: RevokeToken) -> bool:
    with store.exclusive():
        rows = store.reserved(TOKENS)
        row = _row_of(rows, op.id)
        if row is None or row.value["revoked"] is not None:
            return False
        rows.put(row.key, {**row.value, "revoked": rows.now}, None)
        rows.commit()
        return True


def _touch(store: HistoryPrimitives, op: TouchToken) -> None:
    with store.exclusive():
        rows = store.reserved(TOKENS)
        row = _row_of(rows, op.id)
        if row is None or rows.now - (row.value["used"] or 0) < _TOUCH_EVERY:
            return
        rows.put(row.key, {**row.value, "used": rows.now}, None)
        rows.commit()


def _row_of(rows: ReservedRows, id: str) -> Row | None:
    """The row of a token, which nobody else writes before the block has ended."""
    if not isinstance(id, str) or len(id) != _ID_CHARACTERS:
        return None
    rows.load([id])  # for all of the key, which only the row tells
    return next(iter(rows.rows(id)), None)


def _token(key: str, value: Value) -> Token:
    members = cast("dict[str, Any]", value)
    created, expires, revoked, used = (
        None if (moment := members[name]) is None else from_microseconds(moment)
        for name in ("created", "expires", "revoked", "used")
    )
    assert created is not None
    grants = tuple(Grant(pattern, frozenset(verbs)) for pattern, verbs in members["grants"])
    return Token(key[:_ID_CHARACTERS], bytes.fromhex(key), grants, members["label"], created, expires, revoked, used)


RUNNERS: Final[dict[type, Callable[[Any, Any], Any]]] = {
    CreateToken: _create,
    FindToken: _find,
    ListTokens: _list,
    RevokeToken: _revoke,
    TouchToken: _touch,
}
