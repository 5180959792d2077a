"""Answers that are kept for a day, so that a request whose reply was lost can be sent again and is not done twice.

A record stands in the reserved namespace `.replays` at `<namespace>/<identity>/<digest of the replay key>`, and is
stored in the transaction of what the request did. It holds the digest of what was asked, and the answer as the wire
spells it. Where a request has ops in more than one namespace, a reference stands under each of the others: so whoever
erases something finds every answer that can hold it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b
from typing import Any, Final

from botwire_core import protocol as p
from botwire_core.errors import CommitUnknownError, IdempotencyError, InvalidNamespaceError
from botwire_core.names import check_namespace
from botwire_core.protocol import Op
from botwire_core.records import replace
from botwire_core.service import REPLAY_SECONDS, Outcome, Reply, Request
from botwire_core.stores.primitives import REPLAYS, HistoryPrimitives
from botwire_core.stores.reserved import ReservedRows
from botwire_core.stores.rows import Row
from botwire_core.wire.problems import error_from, problem_of
from botwire_core.wire.results import result_from_json, result_to_json

__all__ = ["Replays", "forget_answers", "namespaces_of"]

_FORGOTTEN_AT_ONCE: Final = 1000
_MAX_ANSWER_BYTES: Final = 1024 * 1024
_DIGEST: Final = slice(1, 33)

# The first byte of a record.
_NUMBERS: Final = b"n"  # an answer of versions, counts, yes and no
_TELLING: Final = b"t"  # an answer that may tell of keys and values
_ERASED: Final = b"e"
_TOO_LARGE: Final = b"l"
_WHY: Final = {_ERASED: "was erased with what it told of", _TOO_LARGE: "was too large to be kept"}

_GIVE_NUMBERS: Final[frozenset[type]] = frozenset(
    {p.Set, p.Delete, p.DeleteMany, p.Expire, p.Clear, p.Drop, p.Check, p.Restore, p.SetRetention, p.DeleteSnapshot}
    | {p.Fork, p.Snapshot, p.Import, p.ImportFamily}
)
"""What is answered by numbers and names of namespaces and snapshots."""


class Replays:
    """The records of the requests of one commit; what is remembered is stored by `commit`."""

    def __init__(self, store: HistoryPrimitives) -> None:
        self._store = store
        self._loaded: ReservedRows | None = None
        self._place = ""
        self._count = 0

    def load(self, requests: Iterable[Request]) -> None:
        """Look in one step at the places of requests that have replay keys."""
        self._rows.load(map(_place, requests))

    def is_new(self, request: Request, others: set[str]) -> bool:
        """Whether nothing is kept of a request, and none of the others is the same, to which it is added."""
        if request.replay_key is None:
            return True
        place = _place(request)
        if place in others or self._rows.row(place) is not None:
            return False
        others.add(place)
        return True

    def find(self, request: Request) -> Reply | None:
        """The reply that was given to this request before, or None.

        Raises:
            IdempotencyError: its replay key was used for another request.
            CommitUnknownError: it was done, and its answer is not there any more.
        """
        self._place = _place(request)
        row = self._rows.row(self._place)
        if row is None:
            return None
        data = row.data
        if data[_DIGEST] != request.digest:
            raise IdempotencyError(
                "this replay key was used for another request", hint="use a new Idempotency-Key for each request"
            )
        reason = _WHY.get(data[:1])
        if reason is not None:
            raise CommitUnknownError(
                f"this request was done before, and its answer {reason}",
                hint="read what stands there; do not send it with another Idempotency-Key, which would do it again",
            )
        answers = json.loads(data[_DIGEST.stop :])
        return Reply(tuple(map(_outcome, request.ops, answers)), replayed=True)

    def remember(self, request: Request, outcomes: Collection[Outcome]) -> None:
        """Keep the answer to the request that was looked for last."""
        ops = request.ops
        purges = any(type(op) is p.Purge for op in ops)
        kind, answer = _NUMBERS, b""
        if purges and len(ops) > 1:
            kind = _ERASED  # what came before the purge may tell of what it erased
        else:
            # By hand where it is nothing but a version, since that is what most requests get.
            first = next(iter(outcomes))
            if len(ops) == 1 and type(first.result) is int and type(ops[0]) is p.Set:
                answer = b'[{"result":%d}]' % first.result
            else:
                answer = json.dumps([*map(_answer, ops, outcomes)]).encode()
                plain = all(
                    one.error is None and type(op) in _GIVE_NUMBERS for op, one in zip(ops, outcomes, strict=True)
                )
                kind = _NUMBERS if plain or purges else _TELLING
        if len(answer) > _MAX_ANSWER_BYTES:
            kind, answer = _TOO_LARGE, b""
        rows, place = self._rows, self._place
        expires = rows.now + round(REPLAY_SECONDS * 1_000_000)
        rows.put(place, kind + request.digest + answer, expires)
        self._count += 1
        if kind == _TELLING:
            _, *others = dict.fromkeys(namespaces_of(request)) or [""]
            for other in others:
                rows.put(f"{other}/>{place}", place.encode(), expires)

    def commit(self) -> None:
        """Store what was remembered; a later `find` looks anew."""
        if self._loaded is not None and self._count:
            self._loaded.commit()
            self._loaded.forget_expired(2 * self._count)
        self._loaded, self._count = None, 0

    @property
    def _rows(self) -> ReservedRows:
        if self._loaded is None:
            self._loaded = self._store.reserved(REPLAYS)
        return self._loaded


def forget_answers(store: HistoryPrimitives, reached: Collection[str]) -> None:
    """Erase every answer that can hold something of these namespaces, or of ones that are gone.

    That the requests were done is kept: they are not done again.
    """
    rows = store.reserved(REPLAYS)
    while rows.forget_expired(_FORGOTTEN_AT_ONCE):
        pass  # what has expired is not found any more, and may still be on the disk
    told: dict[str, Row] = {}
    references: list[str] = []
    for namespace in _kept_namespaces(rows):
        if namespace not in reached and (not namespace or store.find(namespace) is not None):
            continue
        for row in rows.rows(f"{namespace}/"):
            if row.key.startswith(f"{namespace}/>"):
                references.append(row.key)
                row = rows.row(row.data.decode()) or row
            if row.data[:1] == _TELLING:
                told[row.key] = row
    rows.erase((*told, *references))
    for key, row in told.items():
        rows.put(key, _ERASED + row.data[_DIGEST], row.expires)
    rows.commit()


def _kept_namespaces(rows: ReservedRows) -> Iterator[str]:
    """The namespaces that answers are kept of: one look for each, however many the answers are."""
    after = ""
    while (row := rows.first_after(after)) is not None:
        namespace = row.key.partition("/")[0]
        yield namespace
        after = f"{namespace}0"  # the character after the slash: above every key of the namespace


def _place(request: Request) -> str:
    # The digest, since a key can be longer than what is left, and hold slashes.
    key = blake2b((request.replay_key or "").encode(), digest_size=20).hexdigest()
    return f"{next(namespaces_of(request), '')}/{request.identity}/{key}"


def namespaces_of(request: Request) -> Iterator[str]:
    """The namespaces that a request names, in order, maybe some more than once."""
    for op in request.ops:
        for member in ("namespace", "other", "name"):
            name = getattr(op, member, None)
            if name is None:
                continue
            try:
                yield check_namespace(name)
            except InvalidNamespaceError:
                continue  # the op is refused for it, and does nothing there


def _answer(op: Op[Any], outcome: Outcome) -> dict[str, Any]:
    if outcome.error is not None:
        problem = problem_of(outcome.error)
        return {"error": problem.members, "status": problem.status, "headers": problem.headers}
    result = outcome.result
    if type(op) is p.Purge:
        result = replace(result, keys=[])
    return {"result": result_to_json(op, result)}


def _outcome(op: Op[Any], answer: dict[str, Any]) -> Outcome:
    if "error" in answer:
        return Outcome(error=error_from(answer["status"], answer["headers"], answer["error"]))
    return Outcome(result_from_json(op, answer["result"]))
