"""What a server asks of a store, derived from the primitives of a store with a past.

Requests that arrive together are parts of one transaction, each undone alone where it fails; what is kept for retries
and what quotas count is stored with them. See `replays`, `quotas` and `tokens`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from botwire_core import protocol as p
from botwire_core.errors import BotWireError, InvalidValueError
from botwire_core.names import check_namespace
from botwire_core.protocol import Op
from botwire_core.records import replace
from botwire_core.service import (
    FindToken,
    GetRow,
    GetUsage,
    ListAncestors,
    ListTokens,
    Outcome,
    Reply,
    Request,
    Serve,
    Usage,
)
from botwire_core.stores import tokens
from botwire_core.stores.primitives import HistoryPrimitives
from botwire_core.stores.quotas import Accounts
from botwire_core.stores.replays import Replays, namespaces_of
from botwire_core.stores.rows import Row

__all__ = ["POINT_READS", "READS", "RUNNERS"]

_READS: Final[frozenset[type]] = frozenset(
    {p.Get, p.GetEntry, p.TimeLeft, p.GetMany, p.ListKeys, p.ListEntries, p.ReadLog, p.Search, p.GetStats, p.Check}
    | {p.ListSnapshots, p.Resolve, p.GetHistory, p.Compare, p.ListChanges, p.Export, p.ListNamespaces, p.GetRetention}
)
_STREAMS: Final[frozenset[type]] = frozenset({p.ExportAll, p.ExportFamily})


class _Group:
    """The requests of one commit."""

    def __init__(self, store: HistoryPrimitives, requests: Sequence[Request]) -> None:
        self._store = store
        self._replays = Replays(store)
        self._accounts: Accounts | None = None
        replayable = [request for request in requests if request.replay_key is not None]
        limited = [request for request in requests if request.quota is not None]
        if replayable:
            self._replays.load(replayable)
        if limited:
            self._accounts = Accounts(store)
            self._accounts.load(name for request in limited for name in namespaces_of(request))

    def answer_all(self, requests: Sequence[Request]) -> list[Reply]:
        replies: list[Reply] = []
        end, rows = 0, dict[int, Row]()
        for place, request in enumerate(requests):
            if place == end:
                end, rows = self._set_together(requests, place)
            replies.append(self._answer(request, rows.get(place)))
        return replies

    def _set_together(self, requests: Sequence[Request], first: int) -> tuple[int, dict[int, Row]]:
        """Do the sets that come next in one step, up to anything else; where they end, and what they wrote by place."""
        if not self._store.SETS_TOGETHER:
            return len(requests), {}
        ops: list[p.Set] = []
        keys: set[str] = set()
        for request in requests[first:]:
            op = request.ops[0] if len(request.ops) == 1 else None
            if type(op) is not p.Set or request.quota is not None or not self._replays.is_new(request, keys):
                break
            ops.append(op)
        if len(ops) < 2:
            return first + 1, {}
        rows = enumerate(self._store.set_together(ops), first)
        return first + len(ops), {place: row for place, row in rows if row is not None}

    def _answer(self, request: Request, row: Row | None) -> Reply:
        """Run a request, or tell of the row that it has written already."""
        purges = any(type(op) is p.Purge for op in request.ops)
        if purges:
            self._replays.commit()  # it has to find what was remembered just now
        try:
            if request.replay_key is not None:
                before = self._replays.find(request)
                if before is not None:
                    return before
            if request.quota is not None and self._accounts is not None:
                self._accounts.last = None
        except BotWireError as error:
            self._go_on(error)
            return Reply((Outcome(error=error),))
        if row is not None:
            reply = Reply((Outcome(row.version, row=row),))
        else:
            reply = self._atomic(request) if request.atomic else self._one_by_one(request)
        if purges:
            self._replays.commit()  # what was looked at before the purge is not what stands there now
        if request.replay_key is not None and _did_something(request, reply):
            self._replays.remember(request, reply.outcomes)
        if request.quota is not None and self._accounts is not None and self._accounts.last is not None:
            return replace(reply, usage=self._accounts.usage(self._accounts.last))
        return reply

    def finish(self) -> None:
        """Store what belongs to the requests."""
        self._replays.commit()
        if self._accounts is not None:
            self._accounts.commit()

    def _one_by_one(self, request: Request) -> Reply:
        outcomes = []
        for op in request.ops:
            try:
                outcomes.append(self._done(op, request))
            except BotWireError as error:
                self._go_on(error)
                outcomes.append(Outcome(error=error))
        return Reply(tuple(outcomes))

    def _atomic(self, request: Request) -> Reply:
        place = 0

        def run() -> list[Outcome]:
            nonlocal place
            outcomes = []
            for place, op in enumerate(request.ops):  # noqa: B007 - it tells where it ended
                outcomes.append(self._done(op, request))
            return outcomes

        try:
            if request.quota is None or self._accounts is None:
                with self._store.exclusive():
                    return Reply(tuple(run()))
            for op in reversed(request.ops):
                self._accounts.look_at(op)
            return Reply(tuple(self._accounts.undoing(run)))
        except BotWireError as error:
            self._go_on(error)
            return Reply((Outcome(error=error),), undone_by=place)

    def _done(self, op: Op[Any], request: Request) -> Outcome:
        result = self._run(op, request)
        return Outcome(result, row=self._store.just_written()) if type(op) is p.Set else Outcome(result)

    def _run(self, op: Op[Any], request: Request) -> Any:
        kind = type(op)
        if kind in _STREAMS or kind in RUNNERS:
            raise InvalidValueError(f"{kind.__name__} cannot be part of a request", hint="run it by itself")
        if request.quota is None or self._accounts is None or kind in _READS:
            return self._store.run(op)
        return self._accounts.run(op, request.quota)

    def _go_on(self, error: BotWireError) -> None:
        """Raise an error that has brought all of the group down."""
        if not self._store.grouping():
            raise error


def _serve(store: HistoryPrimitives, op: Serve) -> list[Reply]:
    with store.grouped(_named_by_writers(op.requests)):
        group = _Group(store, op.requests)
        replies = group.answer_all(op.requests)
        group.finish()
    if not any(map(_has_purged, op.requests, replies)):
        return replies
    try:
        store.after_purge()
    except BotWireError as error:
        # Committed, but a file still holds what was erased. A retry is a replay, which comes by here again.
        return [_not_purged(*pair, error) for pair in zip(op.requests, replies, strict=True)]
    return replies


def _named_by_writers(requests: Sequence[Request]) -> set[str]:
    """The namespaces of requests that write, those too that they only look at.

    What they find there is kept with their answers, and a purge has to wait for it, or it would erase it too early.
    """
    named: set[str] = set()
    for request in requests:
        for op in request.ops:
            if type(op) not in _READS:
                named.update(namespaces_of(request))
                break
    return named


def _did_something(request: Request, reply: Reply) -> bool:
    if len(request.ops) == 1:
        return reply.outcomes[0].error is None and type(request.ops[0]) not in _READS
    return len(request.ops) == len(reply.outcomes) and any(
        outcome.error is None and type(op) not in _READS
        for op, outcome in zip(request.ops, reply.outcomes, strict=True)
    )


def _has_purged(request: Request, reply: Reply) -> bool:
    # The reply of a request that was undone is shorter.
    return any(type(op) is p.Purge and one.error is None for op, one in zip(request.ops, reply.outcomes, strict=False))


def _not_purged(request: Request, reply: Reply, error: BotWireError) -> Reply:
    if not _has_purged(request, reply):
        return reply
    outcomes = zip(request.ops, reply.outcomes, strict=True)
    return replace(
        reply,
        outcomes=tuple(
            Outcome(error=error) if type(op) is p.Purge and one.error is None else one for op, one in outcomes
        ),
    )


def _get_row(store: HistoryPrimitives, op: GetRow) -> Row | None:
    return store.live_row(op.namespace, op.key, None)


def _get_usage(store: HistoryPrimitives, op: GetUsage) -> Usage:
    with store.consistent():
        return Accounts(store).counted(check_namespace(op.namespace))


def _list_ancestors(store: HistoryPrimitives, op: ListAncestors) -> list[str]:
    with store.consistent():
        space = store.find(check_namespace(op.namespace))
        found = []
        for above in [] if space is None else store.ancestors(space):
            named = None if above.name is None else store.find(above.name)
            if above.name is not None and named is not None and named.id == above.id:  # not dropped, nor expired
                found.append(above.name)
        return found


POINT_READS: Final[frozenset[type]] = frozenset({GetRow})
READS: Final[frozenset[type]] = frozenset({GetRow, GetUsage, FindToken, ListAncestors, ListTokens})
RUNNERS: Final[dict[type, Callable[[Any, Any], Any]]] = {
    Serve: _serve,
    GetRow: _get_row,
    GetUsage: _get_usage,
    ListAncestors: _list_ancestors,
    **tokens.RUNNERS,
}
