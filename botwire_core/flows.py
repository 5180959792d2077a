"""Logic that takes several ops, written once as a generator and driven in either colour.

A flow yields what it wants done (an op, a wait, work on a file) and is sent the result; what went wrong is
thrown into it, so that an ordinary `finally` cleans up. `run_flow` and `arun_flow` give what the flow returns,
`iterate` and `aiterate` the items that it yields on the way.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, cast

from botwire_core.protocol import Op
from botwire_core.records import record
from botwire_core.store import Store

__all__ = [
    "Flow",
    "Give",
    "ItemFlow",
    "Wait",
    "Work",
    "adrive",
    "aiterate",
    "arun_flow",
    "ask",
    "drive",
    "iterate",
    "run_flow",
]

R = TypeVar("R")
T = TypeVar("T")


@record
class Wait:
    """Ask to be woken after some seconds."""

    seconds: float


@record
class Work:
    """Ask for something that blocks and is no op, such as writing to a file."""

    function: Callable[[], Any]


@record
class Give(Generic[T]):
    """Hand items to whoever iterates."""

    items: Sequence[T]


Flow: TypeAlias = Generator[Op[Any] | Work, Any, R]
"""Logic that ends with a result."""
ItemFlow: TypeAlias = Generator[Op[Any] | Wait | Give[T], Any, None]
"""Logic that gives items until it ends."""


def ask(op: Op[R]) -> Generator[Op[R], R, R]:
    """Yield an op and return its result with the right type, by `yield from`."""
    return (yield op)


def drive(flow: Generator[Any, Any, R], do: Callable[[Any], Any]) -> R:
    """Drive a flow to its end, doing what it asks for by `do`, and give what it returns."""
    resume: Callable[[Any], Any] = flow.send
    reply: Any = None
    while True:
        try:
            action = resume(reply)
        except StopIteration as end:
            return cast(R, end.value)
        try:
            resume, reply = flow.send, do(action)
        except BaseException as error:  # noqa: BLE001 - the flow decides, and raises it again where it cannot help
            resume, reply = flow.throw, error


async def adrive(flow: Generator[Any, Any, R], do: Callable[[Any], Awaitable[Any]]) -> R:
    """Async twin of `drive`."""
    resume: Callable[[Any], Any] = flow.send
    reply: Any = None
    while True:
        try:
            action = resume(reply)
        except StopIteration as end:
            return cast(R, end.value)
        try:
            resume, reply = flow.send, await do(action)
        except BaseException as error:  # noqa: BLE001 - as in drive; a cancellation too
            resume, reply = flow.throw, error


def run_flow(store: Store, flow: Flow[R]) -> R:
    """Drive a flow to its end on a store and give what it returns."""
    return drive(flow, lambda action: action.function() if isinstance(action, Work) else store.run(action))


async def arun_flow(store: Store, flow: Flow[R]) -> R:
    """Async twin of `run_flow`; work runs in a thread, and a cancellation waits until it is done."""
    from botwire_core.stores.threads import run_in_thread

    return await adrive(
        flow,
        lambda action: run_in_thread(_call, action.function) if isinstance(action, Work) else store.arun(action),
    )


def iterate(store: Store, flow: ItemFlow[T], wait: Callable[[float], object] = time.sleep) -> Iterator[T]:
    """The items that a flow gives, as they come; nothing runs before the first is asked for."""
    reply: Any = None
    while True:
        try:
            action = flow.send(reply)
        except StopIteration:
            return
        reply = None
        if isinstance(action, Give):
            yield from action.items
        elif isinstance(action, Wait):
            wait(action.seconds)
        else:
            reply = store.run(action)


async def _sleep(seconds: float) -> None:
    import asyncio  # here, since a program without a loop never pays for it

    await asyncio.sleep(seconds)


async def aiterate(
    store: Store, flow: ItemFlow[T], wait: Callable[[float], Awaitable[object]] = _sleep
) -> AsyncGenerator[T]:
    """Async twin of `iterate`."""
    reply: Any = None
    while True:
        try:
            action = flow.send(reply)
        except StopIteration:
            return
        reply = None
        if isinstance(action, Give):
            for item in action.items:
                yield item
        elif isinstance(action, Wait):
            await wait(action.seconds)
        else:
            reply = await store.arun(action)


def _call(function: Callable[[], Any]) -> Any:
    return function()
