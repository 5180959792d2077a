"""Group commit: requests that write at the same time share one transaction, and one wait for the disk.

While a commit is on its way in the store's own thread, what arrives gathers; then all of it is the next commit.
So nobody waits on purpose, and the event loop never waits at all.

Rejected: two or three groups of different namespaces on their way at once, on PostgreSQL. Clients that were answered
together come back together, so the first of them takes what there is; measured, it was no quicker at any distance.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from botwire_core.protocol import Op
from botwire_core.service import Reply, Request, Serve
from botwire_core.store import Store

__all__ = ["Commits"]

_MOST_TOGETHER: Final = 256


class Commits:
    """Runs requests that write, for all clients of one event loop.

    `committed` is called with the ops of each commit once they are done, `sizes` counts commits by their requests.
    """

    def __init__(self, store: Store, committed: Callable[[list[Op[Any]]], object], sizes: Counter[int]) -> None:
        self._store = store
        self._committed = committed
        self._waiting: list[tuple[Request, asyncio.Future[Reply]]] = []
        self._running = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._sizes = sizes

    async def run(self, request: Request) -> Reply:
        """The reply to a request, once what it wrote is on the disk.

        Raises:
            BotWireError: what concerns the whole store, such as a full disk.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append((request, future))
        if not self._running:
            self._running = True
            # At the end of this turn of the loop, so that what arrived in it goes together.
            loop.call_soon(self._begin)
        return await future

    async def drained(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self) -> None:
        task = asyncio.get_running_loop().create_task(self._commit_all())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:_MOST_TOGETHER]
                del self._waiting[: len(batch)]
                await self._commit(batch)
                # Whoever was just answered may have the next request ready: then it goes along.
                await asyncio.sleep(0)
        finally:
            self._running = False

    async def _commit(self, batch: list[tuple[Request, asyncio.Future[Reply]]]) -> None:
        self._sizes[len(batch)] += 1
        try:
            replies = await self._store.arun(Serve(tuple(request for request, _ in batch)))
        except Exception as error:  # noqa: BLE001 - it goes to everybody who waits
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # seen, also where the client has gone meanwhile
            return
        for (_, future), reply in zip(batch, replies, strict=True):
            if not future.done():
                future.set_result(reply)
        self._committed([op for request, _ in batch for op in request.ops])
