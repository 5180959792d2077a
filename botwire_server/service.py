"""What every route stands on: one store, who may use it how, and requests that are run once however often they come."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from botwire_core.clock import to_microseconds
from botwire_core.codec import encode
from botwire_core.errors import BotWireError, InvalidValueError, RequestRunningError, UnsupportedError
from botwire_core.protocol import GetEntry, Op, Transact
from botwire_core.records import replace
from botwire_core.service import GetRow, Outcome, Reply
from botwire_core.service import Request as StoreRequest
from botwire_core.store import Store
from botwire_core.stores.rows import Row
from botwire_server.access import ANYBODY, Access, Identity
from botwire_server.commits import Commits
from botwire_server.config import ServerConfig
from botwire_server.metrics import Metrics
from botwire_server.plans import check_sizes, rate_limit_headers
from botwire_server.requests import Pairs, Request
from botwire_server.watch import Watchers

__all__ = ["Service"]

R = TypeVar("R")

_REPLAY_KEY: Final = re.compile(rb"[!-~]{1,255}")
_RETRY_AFTER: Final = 1.0


class Service:
    """A store as clients of a server use it; it belongs to one event loop."""

    def __init__(self, store: Store, config: ServerConfig, access: Access) -> None:
        self.store = store
        self.config = config
        self.access = access
        self.metrics = Metrics()
        self.watchers = Watchers(store, config)
        self.commits = Commits(store, self.watchers.touched, self.metrics.commit_sizes)
        self.metrics.gauges["botwire_watchers"] = ("Connections that watch a namespace.", lambda: len(self.watchers))
        self.has_service = "service" in store.features
        self.clocks: set[asyncio.Timeout] = set()
        """One for each request whose body is not there yet."""
        self._quota = config.plan.quota()
        self._running: set[tuple[str, bytes]] = set()

    async def authorise(self, request: Request, op: Op[Any]) -> None:
        """Let an op pass if whoever sent the request may have it run.

        Raises:
            ForbiddenError: he may not.
        """
        # On a machine of one's own there are no tokens, and no time to spend on them.
        if request.identity is not ANYBODY:
            await self.access.authorise(request.identity, op)

    async def row(self, namespace: str, key: str) -> Row | None:
        """The row that stands at a key, with its value as it is stored."""
        if self.has_service:
            return await self.store.arun(GetRow(namespace, key))
        entry = await self.store.arun(GetEntry(namespace, key))
        if entry is None:
            return None
        payload = encode(entry.value)
        return Row(
            entry.key,
            entry.version,
            entry.revision,
            payload.codec,
            payload.data,
            to_microseconds(entry.created_at),
            to_microseconds(entry.updated_at),
            None if entry.expires_at is None else to_microseconds(entry.expires_at),
            entry.author,
        )

    async def write(
        self, request: Request, ops: Sequence[Op[Any]], asked: bytes, *, atomic: bool = False
    ) -> tuple[Reply, Pairs]:
        """Run ops that write, once for each Idempotency-Key, and give the reply and the headers that go with it.

        `asked` is what tells this request from another one with the same key: its body, and whatever else steers it.

        Raises:
            RequestRunningError: a request with the same key is not done yet.
            BotWireError: what concerns the whole store.
        """
        identity: Identity = request.identity
        prepared = tuple(_signed(op, identity.id) for op in ops)
        for op in prepared:
            check_sizes(self.config.plan, op)
        if not self.has_service:
            return await self._one_by_one(prepared, atomic), []
        key = request.headers.get(b"idempotency-key")
        if key is None:
            reply = await self.commits.run(StoreRequest(prepared, atomic, identity.id, None, b"", self._quota))
            return reply, self._usage(reply)
        if not _REPLAY_KEY.fullmatch(key):
            raise InvalidValueError("Idempotency-Key: not 1 to 255 visible ASCII characters", hint="send a new UUID")
        digest = hashlib.sha256(b"%s %s\n%s" % (request.method.encode(), request.path, asked)).digest()
        name = (identity.id, key)
        if name in self._running:
            raise RequestRunningError(
                "a request with this Idempotency-Key is still running",
                hint="ask again after Retry-After seconds",
                retry_after=_RETRY_AFTER,
            )
        self._running.add(name)
        try:
            reply = await self.commits.run(
                StoreRequest(prepared, atomic, identity.id, key.decode(), digest, self._quota)
            )
        finally:
            self._running.discard(name)
        headers = self._usage(reply)
        if reply.replayed:
            headers.append((b"idempotency-replayed", b"true"))
        return reply, headers

    def _usage(self, reply: Reply) -> Pairs:
        return rate_limit_headers(self.config.plan, reply.usage)

    async def _one_by_one(self, ops: tuple[Op[Any], ...], atomic: bool) -> Reply:
        """For a store that cannot keep replies: each op in a commit of its own."""
        if atomic and len(ops) > 1:
            raise UnsupportedError(
                "this store runs several ops at once only as a transaction of one namespace", hint="send a transact op"
            )
        outcomes = []
        for op in ops:
            try:
                outcomes.append(Outcome(await self.store.arun(op)))
            except BotWireError as error:
                outcomes.append(Outcome(error=error))
        self.watchers.touched(ops)
        return Reply(tuple(outcomes))


def _signed(op: Op[Any], author: str) -> Op[Any]:
    """The op with the token's id as its author; who has none may name himself."""
    if not author:
        return op
    if isinstance(op, Transact):
        return replace(op, steps=tuple(_signed(step, author) for step in op.steps))
    return replace(op, author=author) if hasattr(op, "author") else op
