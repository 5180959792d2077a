"""Work that AutoGen can cancel by a token."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from autogen_core import CancellationToken

__all__ = ["cancellable"]

R = TypeVar("R")


async def cancellable(work: Coroutine[Any, Any, R], token: CancellationToken | None) -> R:
    """Give what the work gives; it is cancelled with the token, and a write is then done or not begun, never torn."""
    if token is None:
        return await work
    task = asyncio.ensure_future(work)
    token.link_future(task)
    return await task
