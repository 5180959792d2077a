"""Drives what a store wants done over HTTP, in either colour: the same flows as those of `botwire_core.flows`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from botwire_core.flows import Give, Wait, Work, adrive, drive
from botwire_core.records import record
from botwire_core.stores.http.incoming import AsyncIncoming, Incoming, no_answer
from botwire_core.stores.http.retrying import Send
from botwire_core.stores.threads import run_in_thread

if TYPE_CHECKING:
    from botwire_core.stores.http.transport import Transport

__all__ = ["Action", "AsyncDriver", "Close", "Driver", "HttpFlow", "Receive"]

R = TypeVar("R")
T = TypeVar("T")


@record
class Receive:
    """Ask for the next piece of an answer, within so many seconds; it is empty at the end."""

    incoming: Any
    seconds: float


@record
class Close:
    """Ask for an answer to be ended, whole or not."""

    incoming: Any


class _Left(BaseException):
    """Nobody wants more of a flow. GeneratorExit will not do: it closes an inner flow, which may then yield nothing."""


Action: TypeAlias = Send | Wait | Work | Receive | Close
HttpFlow: TypeAlias = Generator[Any, Any, R]
"""Logic that yields actions, or `Give`, and ends with a result."""


class Driver:
    """Does what a flow asks for, and blocks until it is done."""

    def __init__(self, transport: Transport, sleep: Callable[[float], object] = time.sleep) -> None:
        self._transport = transport
        self._sleep = sleep

    def run(self, flow: HttpFlow[R]) -> R:
        """Drive a flow to its end and give what it returns."""
        return drive(flow, self._do)

    def iterate(self, flow: HttpFlow[None]) -> Iterator[Any]:
        """The items that a flow gives, as they come."""
        resume: Callable[[Any], Any] = flow.send
        reply: Any = None
        try:
            while True:
                try:
                    action = resume(reply)
                except StopIteration:
                    return
                resume, reply = flow.send, None
                if isinstance(action, Give):
                    yield from action.items
                    continue
                try:
                    reply = self._do(action)
                except Exception as error:  # noqa: BLE001 - as above
                    resume, reply = flow.throw, error
        finally:
            self._end(flow)

    def _end(self, flow: HttpFlow[None]) -> None:
        """Let a flow that is left in the middle close what it holds."""
        try:
            action = flow.throw(_Left())
            while True:
                action = flow.send(self._do(action))
        except (StopIteration, _Left):
            pass

    def _do(self, action: Action) -> Any:
        if isinstance(action, Send):
            return self._transport.send(action)
        if isinstance(action, Wait):
            return self._sleep(action.seconds)
        if isinstance(action, Work):
            return action.function()
        incoming: Incoming = action.incoming
        if isinstance(action, Close):
            return incoming.close()
        incoming.extend(action.seconds)
        return next(incoming.pieces, b"")


class AsyncDriver:
    """Async twin of `Driver`; what blocks and is no request runs in a thread."""

    def __init__(self, transport: Transport, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._transport = transport
        self._sleep = sleep

    async def run(self, flow: HttpFlow[R]) -> R:
        """Async twin of `Driver.run`."""
        return await adrive(flow, self._do)

    async def iterate(self, flow: HttpFlow[None]) -> AsyncGenerator[Any]:
        """Async twin of `Driver.iterate`."""
        resume: Callable[[Any], Any] = flow.send
        reply: Any = None
        try:
            while True:
                try:
                    action = resume(reply)
                except StopIteration:
                    return
                resume, reply = flow.send, None
                if isinstance(action, Give):
                    for item in action.items:
                        yield item
                    continue
                try:
                    reply = await self._do(action)
                except Exception as error:  # noqa: BLE001 - as above
                    resume, reply = flow.throw, error
        finally:
            await self._end(flow)

    async def _end(self, flow: HttpFlow[None]) -> None:
        try:
            action = flow.throw(_Left())
            while True:
                action = flow.send(await self._do(action))
        except (StopIteration, _Left):
            pass

    async def _do(self, action: Action) -> Any:
        if isinstance(action, Send):
            return await self._transport.asend(action)
        if isinstance(action, Wait):
            return await self._sleep(action.seconds)
        if isinstance(action, Work):
            return await run_in_thread(_call, action.function)
        incoming: AsyncIncoming = action.incoming
        if isinstance(action, Close):
            return await incoming.aclose()
        try:
            async with asyncio.timeout(action.seconds):
                return await anext(incoming.pieces, b"")
        except TimeoutError as error:
            raise no_answer(error) from error


def _call(function: Callable[[], Any]) -> Any:
    return function()
