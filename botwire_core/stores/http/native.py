"""The dialect of our own server: every op is one `POST /v1/ops`."""

from __future__ import annotations

import uuid
from typing import Any, Final, TypeVar, cast

from botwire_core import protocol as p
from botwire_core.errors import BotWireError, CommitUnknownError, StoreUnavailableError
from botwire_core.protocol import Op
from botwire_core.stores.http.exchanges import Answer, Ask, Exchange
from botwire_core.stores.http.retrying import members_of
from botwire_core.wire.ops import op_to_json
from botwire_core.wire.problems import error_from
from botwire_core.wire.results import result_from_json
from botwire_core.wire.text import dump, parse

__all__ = ["OtherDialect", "exchange", "is_read", "new_key", "refused"]

R = TypeVar("R")

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
    """The one request of an op.

    Raises:
        OtherDialect: the server is not ours.
        BotWireError: whatever an embedded store raises, from the server's answer.
    """
    reads = is_read(op)
    body = dump({"ops": [op_to_json(op)]})
    answer = yield Ask("POST", "/v1/ops", body, reads, None if reads else new_key(), parse)
    if answer.status != 200:
        raise refused(answer, reads)
    try:
        (told,) = answer.parsed["results"]
        result = result_from_json(op, told["result"])
    except (TypeError, KeyError, ValueError, BotWireError) as error:
        raise _not_understood(reads) from error
    return cast(R, result)


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
