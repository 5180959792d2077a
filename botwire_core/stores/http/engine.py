"""What a store over HTTP does: it finds out what the server speaks, and turns ops into requests."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

from botwire_core import protocol as p
from botwire_core.errors import StoreBusyError, StoreUnavailableError
from botwire_core.protocol import ListChanges, Op
from botwire_core.results import ChangePage
from botwire_core.stores.http.addresses import Endpoints
from botwire_core.stores.http.dialect import NATIVE, UNKNOWN, Dialect, first_service
from botwire_core.stores.http.driving import AsyncDriver, Driver, HttpFlow
from botwire_core.stores.http.means import Means
from botwire_core.stores.http.native import OtherDialect, is_read
from botwire_core.stores.http.requests import Requests
from botwire_core.stores.http.retrying import Attempts
from botwire_core.stores.http.streams import exported, imported, is_importing
from botwire_core.stores.http.transport import Transport, split_clients
from botwire_core.stores.http.watching import changes_by_events

__all__ = ["Engine"]

R = TypeVar("R")


class Engine:
    """Runs ops on a server in both colours."""

    def __init__(self, endpoints: Endpoints, means: Means) -> None:
        self._endpoints = endpoints
        self._timeout = means.timeout
        self._attempts = Attempts(endpoints, clock=means.clock or time.monotonic, dice=means.dice or random.random)
        self._transport = Transport(
            Requests(means.token, _agent()), endpoints.all, split_clients(means.http_client), means.trust_env
        )
        self._driver = Driver(self._transport, means.sleep or time.sleep)
        self._async_driver = AsyncDriver(self._transport, means.asleep or asyncio.sleep)
        self._dialect: Dialect | None = None

    @property
    def features(self) -> frozenset[str]:
        """What the server has beyond the core ops, as far as it is known."""
        return (self._dialect or UNKNOWN).features

    def run(self, op: Op[R]) -> R:
        """Run an op and give its result."""
        return self._driver.run(self._flow(op))

    async def arun(self, op: Op[R]) -> R:
        """Async twin of `run`; a write that is cancelled waits for its outcome, then raises."""
        running = self._async_driver.run(self._flow(op))
        return await (running if is_read(op) else _with_its_outcome(running))

    def changes(self, op: ListChanges, wait: float | None) -> Iterator[ChangePage]:
        """The pages of changes as they come."""
        return self._driver.iterate(changes_by_events(self._ask, self._attempts, op, wait, self._timeout))

    def achanges(self, op: ListChanges, wait: float | None) -> AsyncGenerator[ChangePage]:
        """Async twin of `changes`."""
        return self._async_driver.iterate(changes_by_events(self._ask, self._attempts, op, wait, self._timeout))

    def close(self) -> None:
        """Close what is idle."""
        self._transport.close()

    async def aclose(self) -> None:
        """Async twin of `close`."""
        await self._transport.aclose()

    # --- flows --------------------------------------------------------------------------------------

    def _flow(self, op: Op[R]) -> HttpFlow[R]:
        if isinstance(op, p.ExportAll | p.ExportFamily | p.Import | p.ImportFamily):
            return self._stream(op)
        return self._ask(op)

    def _ask(self, op: Op[Any]) -> HttpFlow[Any]:
        """All requests of an op, within one deadline."""
        if is_importing() and not is_read(op):
            raise StoreBusyError("a write in the middle of an import", hint="write before it, or after it")
        deadline = self._attempts.clock() + self._timeout
        try:
            result = yield from self._requests(self._dialect or UNKNOWN, op, deadline)
        except OtherDialect:
            dialect = yield from self._learn(deadline)
            return (yield from self._requests(dialect, op, deadline))
        if self._dialect is None:
            self._dialect = NATIVE
        return result

    def _requests(self, dialect: Dialect, op: Op[Any], deadline: float) -> HttpFlow[Any]:
        exchange = dialect.exchange(op)
        try:
            ask = next(exchange)
            while True:
                answer = yield from self._attempts.ask(ask, deadline)
                ask = exchange.send(answer)
        except StopIteration as end:
            return end.value

    def _learn(self, deadline: float) -> HttpFlow[Dialect]:
        """Find out what a server speaks that has no `/v1`."""
        from botwire_core.stores.http.first_wire import PROBE, is_first_service

        if self._dialect is None:
            answer = yield from self._attempts.ask(PROBE, deadline)
            if is_first_service(answer):
                self._dialect = first_service()
        if self._dialect is not None and self._dialect is not NATIVE:  # perhaps somebody else has just learnt it
            return self._dialect
        raise StoreUnavailableError(
            f"{self._endpoints.current.shown}: what answers there is no BotWire server", hint="check the URL"
        )

    def _stream(self, op: Any) -> HttpFlow[Any]:
        if self._dialect is None:
            yield from self._ask(p.Get(op.namespace, "botwire"))  # to know what the server speaks
        assert self._dialect is not None
        if self._dialect is not NATIVE:
            return (yield from self._ask(op))
        flow = exported if isinstance(op, p.ExportAll | p.ExportFamily) else imported
        return (yield from flow(self._attempts, op, self._timeout))


async def _with_its_outcome(running: Coroutine[Any, Any, R]) -> R:
    """Run to the end, also where the caller is cancelled meanwhile, which is then passed on."""
    task = asyncio.ensure_future(running)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue  # cancelled again: the outcome still comes first
        if not task.cancelled():
            task.exception()  # seen, so that the loop does not report it as lost
        raise


def _agent() -> str:
    try:
        return f"botwire/{version('botwire')}"
    except PackageNotFoundError:
        return "botwire"
