"""`POST /v1/ops`: everything the protocol has, one op or many."""

from __future__ import annotations

from typing import Any, Final

from botwire_core import protocol as p
from botwire_core.errors import BotWireError, InvalidValueError, TooLargeError
from botwire_core.records import replace
from botwire_core.service import Outcome
from botwire_core.wire.ops import op_from_json
from botwire_core.wire.results import result_to_json
from botwire_server.bodies import members_of, read_json
from botwire_server.demands import LISTS
from botwire_server.listing import MAX_PAGE
from botwire_server.refusals import RefusedError
from botwire_server.replies import Reply, json_reply, problem_members, problem_reply
from botwire_server.requests import Pairs, Request
from botwire_server.service import Service

__all__ = ["MAX_OPS", "READS", "answer_ops"]

MAX_OPS: Final = 1000
"""Ops in one request."""

READS: Final[frozenset[type]] = frozenset(
    {p.Get, p.GetEntry, p.TimeLeft, p.GetMany, p.ListKeys, p.ListEntries, p.ReadLog, p.Search, p.GetStats}
    | {p.ListSnapshots, p.Resolve, p.GetHistory, p.Compare, p.ListChanges, p.Export, p.ListNamespaces, p.GetRetention}
)
"""Ops that change nothing: they wait for no commit, and are not remembered by their Idempotency-Key."""
_PAGED: Final[frozenset[type]] = frozenset({p.ListKeys, p.ListEntries, p.Export})


async def answer_ops(service: Service, request: Request) -> Reply:
    """The reply to a list of ops: a result or a problem for each.

    One op alone, or ops that are done all or none, fail as the whole request.
    """
    if request.method != "POST":
        raise RefusedError(405, "method_not_allowed", "ops are sent by POST", headers=((b"allow", b"POST"),))
    config = service.config
    body, value = await read_json(request, config.body_bytes, config.body_seconds)
    members = members_of(value, "ops", "atomic")
    asked = _ops(members)
    ops = tuple(map(_one_page, asked))
    atomic = members.get("atomic", False)
    if type(atomic) is not bool:
        raise InvalidValueError("atomic: neither true nor false")
    request.namespace = getattr(ops[0], "namespace", "")
    for op in ops:
        await service.authorise(request, op)
    headers: Pairs = []
    undone_by: int | None = None
    if all(type(op) in READS for op in ops) and (len(ops) == 1 or not atomic):
        outcomes: tuple[Outcome, ...] = tuple([await _read(service, request, op) for op in ops])
    else:
        reply, headers = await service.write(request, ops, body, atomic=atomic)
        outcomes, undone_by = reply.outcomes, reply.undone_by
    if len(outcomes) != len(ops) or len(ops) == 1:
        error = outcomes[0].error
        if error is not None:
            status, problem_headers, problem = problem_reply(error, request.id, undone_by)
            return status, [*problem_headers, *headers], problem
    results = [await _told(service, request, i, op, outcomes[i]) for i, op in enumerate(ops)]
    for op, wanted, told in zip(ops, asked, results, strict=True):
        if op is not wanted and len(told.get("result", ())) == MAX_PAGE:
            told["more"] = True
    return json_reply({"results": results}, headers=headers)


def _ops(members: dict[str, Any]) -> tuple[p.Op[Any], ...]:
    listed = members.get("ops")
    if type(listed) is not list or not listed:
        raise InvalidValueError("ops: not a list of at least one op")
    if len(listed) > MAX_OPS:
        raise TooLargeError(f"ops: more than {MAX_OPS:,}", hint="send them in several requests")
    ops = tuple([op_from_json(one, f"ops[{i}]") for i, one in enumerate(listed)])
    for i, op in enumerate(ops):
        if type(op) is p.Check:
            raise InvalidValueError(f"ops[{i}]: a check is a step of a transact, and nothing by itself")
    return ops


def _one_page(op: p.Op[Any]) -> p.Op[Any]:
    """An op that asks for no more than a page: what a namespace holds may be more than there is memory for."""
    limit: int | None = getattr(op, "limit", 0)
    return replace(op, limit=MAX_PAGE) if type(op) in _PAGED and (limit is None or limit > MAX_PAGE) else op


async def _read(service: Service, request: Request, op: p.Op[Any]) -> Outcome:
    try:
        return Outcome(await service.store.arun(op))
    except BotWireError as error:
        return Outcome(error=error)


async def _told(service: Service, request: Request, index: int, op: p.Op[Any], outcome: Outcome) -> dict[str, Any]:
    if outcome.error is not None:
        return {"error": problem_members(outcome.error, request.id, index)}
    result = outcome.result
    if type(op) in LISTS:
        result = await service.access.visible(request.identity, op, result)
    return {"result": result_to_json(op, result)}
