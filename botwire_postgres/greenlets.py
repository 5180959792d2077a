"""Logic that is written once as ordinary calls, run beside an event loop.

The calls run in a greenlet; where one of them has to wait for the database, it hands an awaitable to the event loop and
goes on with its result. SQLAlchemy's asyncio extension works the same way. No thread takes part.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TypeVar, cast

from greenlet import getcurrent, greenlet

__all__ = ["run_beside_loop", "wait_for"]

A = TypeVar("A")
R = TypeVar("R")


def wait_for(awaitable: Awaitable[R]) -> R:
    """Let the event loop await something, from within `run_beside_loop`, and give its result."""
    loop_side = getcurrent().parent
    assert loop_side is not None
    return cast(R, loop_side.switch(awaitable))


async def run_beside_loop(work: Callable[[A], R], argument: A) -> R:
    """Give `work(argument)`, awaiting what it waits for; its context variables are its own."""
    side = greenlet(work)
    side.gr_context = copy_context()
    reply = side.switch(argument)
    while not side.dead:
        try:
            result = await reply
        except BaseException as error:  # noqa: BLE001 - it is raised where it was waited for; a cancellation too
            reply = side.throw(error)
        else:
            reply = side.switch(result)
    return cast(R, reply)
