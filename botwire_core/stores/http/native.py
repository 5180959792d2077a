"""The dialect of our own server: every op is one `POST /v1/ops`, but that a plain get is a GET."""

from __future__ import annotations

import re
import uuid
from typing import Any, Final, TypeVar, cast

from botwire_core import protocol as p
from botwire_core.codec import from_portable
from botwire_core.errors import BotWireError, CommitUnknownError, StoreUnavailableError
from botwire_core.names import check_namespace
from botwire_core.protocol import Op
from botwire_core.records import replace
from botwire_core.stores.http.exchanges import Answer, Ask, Exchange
from botwire_core.stores.http.judging import members_of
from botwire_core.wire.ops import op_to_json
from botwire_core.wire.problems import error_from
from botwire_core.wire.results import result_from_json
from botwire_core.wire.text import dump, parse

__all__ = ["OtherDialect", "exchange", "is_read", "new_key", "quick_exchange", "refused"]

R = TypeVar("R")

# What no proxy on the way spells in another manner; every other key travels in the body.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_~:@-][A-Za-z0-9._~:@-]{0,200}", re.ASCII)

_READS: Final = frozenset(
    {
        p.Get, p.GetEntry, p.TimeLeft, p.GetMany, p.ListKeys, p.ListEntries, p.ReadLog, p.Search, p.GetStats,
        p.ListSnapshots, p.Resolve, p.GetHistory, p.Compare, p.ListChanges, p.Export, p.ExportAll, p.ExportFamily,
        p.ListNamespaces, p.GetRetention,
    }
)  # fmt: skip


class OtherDialect(Exception):
    """What answers does not know `/v1`."""


def is_read(op: Op[Any]) -> bool:
    """Whether an op changes nothing."""
    return type(op) in _READS


def new_key() -> str:
    """An Idempotency-Key that nobody else has."""
    return uuid.uuid4().hex


def exchange(op: Op[R]) -> Exchange[R]:
    """The one request of an op, or one for each page of a list that the server does not give at once.

    Raises:
        OtherDialect: the server is not ours.
        BotWireError: whatever an embedded store raises, from the server's answer.
    """
    result, rest = yield from _asked(op)
    while rest is not None:
        page, rest = yield from _asked(rest)
        result += page
    return cast(R, result)


def _asked(op: Op[Any]) -> Exchange[tuple[Any, Op[Any] | None]]:
    """The result of an op, and what to ask for after it where it is a page that is not the last."""
    reads = is_read(op)
    body = dump({"ops": [op_to_json(op)]})
    answer = yield Ask("POST", "/v1/ops", body, reads, None if reads else new_key(), parse)
    if answer.status != 200:
        raise refused(answer, reads)
    try:
        (told,) = answer.parsed["results"]
        result = result_from_json(op, told["result"])
        return result, _rest(op, result) if told.get("more") is True else None
    except (TypeError, KeyError, ValueError, AttributeError, IndexError, BotWireError) as error:
        raise _not_understood(reads) from error


def _rest(op: Any, page: list[Any]) -> Op[Any]:
    last = page[-1]
    after = last if type(last) is str else last.key
    return cast("Op[Any]", replace(op, after=after, limit=None if op.limit is None else op.limit - len(page)))


def quick_exchange(op: Op[R]) -> Exchange[R]:
    """The same for a server that is known to be ours: to get one value, its quickest route takes half as long."""
    path = _plain_path(op) if type(op) is p.Get and op.at is None else None
    if path is None:
        return (yield from exchange(op))
    answer = yield Ask("GET", path, parse=parse)
    if answer.status == 200:
        try:
            return cast(R, from_portable(answer.parsed))
        except (TypeError, ValueError) as error:
            raise _not_understood(True) from error
    if answer.status == 404 and (members_of(answer) or {}).get("code") == "not_found":
        return cast(R, p.MISSING)
    raise refused(answer, True)


def _plain_path(op: p.Get) -> str | None:
    if type(op.key) is str and _PLAIN.fullmatch(op.key) and _PLAIN.fullmatch(check_namespace(op.namespace)):
        return f"/memory/{op.namespace}/{op.key}"
    return None


def refused(answer: Answer, reads: bool) -> Exception:
    """The error that an answer stands for which is not 200."""
    members = members_of(answer)
    if answer.status in (404, 405, 501) and (members is None or "code" not in members):
        return OtherDialect()
    error = error_from(answer.status, answer.headers, members)
    if reads and isinstance(error, CommitUnknownError):
        return StoreUnavailableError(error.message, hint=error.hint)
    return error


def _not_understood(reads: bool) -> BotWireError:
    kind = StoreUnavailableError if reads else CommitUnknownError
    return kind(
        "the answer is not understood", hint="is there a BotWire server at this URL, and of a version like this one?"
    )
